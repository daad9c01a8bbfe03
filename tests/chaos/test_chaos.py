"""Everything that goes wrong at once: what is told of each mail agrees with what the server has taken."""

import logging

import pytest

from chaos.kinds import KINDS
from chaos.rounds import run
from postroom_testing import Certificates

SEEDS = (1, 2)
MAILS = 480  # for each kind of server and seed: four rounds, one of each sort
FEWEST = 5_000


def test_there_are_enough_mails() -> None:
    """The seeds and kinds below make at least 5,000 mails."""
    assert len(KINDS) * len(SEEDS) * MAILS >= FEWEST


# A socket that is interrupted before anything refers to it is closed by Python, which warns.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", KINDS)
def test_every_verdict_agrees_with_what_the_server_has_taken(
    name: str, seed: int, ca: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    """Accepted is there once, not sent is not there, nothing is there twice, and the pool is whole in the end."""
    # urllib3 logs a head that is cut with its traceback, which pytest keeps, and with it the connection.
    with caplog.at_level(logging.ERROR, "urllib3"):
        figures = run(name, MAILS, seed, ca)
    print(f"{name}, seed {seed}: {figures}")
    assert sum(figures.outcomes.values()) == MAILS
    assert sum(figures.faults.values()) > MAILS / 25
    assert figures.outcomes["accepted"] < MAILS
