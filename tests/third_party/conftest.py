"""What is shared here: the wheels of our own distributions. What an author has written is run by its own pytest."""

import pytest

from bare_environment import FOLDERS, Wheel, build

collect_ignore = ["postmark"]


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Wheel]:
    """Return the wheel of each of our distributions, by name."""
    return build(FOLDERS, tmp_path_factory.mktemp("wheels"))
