"""The wheels: each is built, unpacked into a bare environment with what it declares, and tried there."""

import ast
import configparser
import functools
import importlib.metadata
import sys
import tomllib
from collections.abc import Callable
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from bare_environment import FOLDERS, ROOT, Bare, Wheel, build
from postroom_testing import Certificates
from smtp_servers import RealServer

PROJECTS: dict[str, dict[str, Any]] = {
    str(canonicalize_name(project["name"])): project
    for project in (tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"] for folder in FOLDERS)
}
NAMES = sorted(PROJECTS)


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Wheel]:
    """Return the wheel of every distribution, built from a copy of its folder, offline."""
    built = build(FOLDERS, tmp_path_factory.mktemp("wheels"))
    assert sorted(built) == NAMES
    return built


@pytest.fixture(scope="session")
def bare(wheels: dict[str, Wheel], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Bare]:
    """Return how to get a bare environment with one of our distributions and these extras; each is made once."""

    @functools.cache
    def made(name: str, *extras: str) -> Bare:
        environment = Bare(tmp_path_factory.mktemp("bare"), wheels)
        environment.install(name, *extras)
        return environment

    return made


def test_core_alone_is_whole(bare: Callable[..., Bare]) -> None:
    """With core alone there is no provider, nothing heavy is loaded, and a provider's name says what to install."""
    said = bare("postroom").script(
        """
        import json, sys
        from postroom import MailMessage, MailSenderFactory, UnknownProviderError
        names = MailSenderFactory.get_supported_types()
        MailMessage("grace@example.com", "Hello", "x")
        try:
            MailSenderFactory.create_from_dify_config(None, environ={"MAIL_TYPE": "resend"})
        except UnknownProviderError as error:
            text = str(error)
        print(json.dumps({"names": names, "text": text, "modules": sorted(sys.modules)}))
        """
    )
    assert said["names"] == []
    assert said["text"] == (
        "Unsupported mail type: resend. Installed: none; install the distribution that brings it, for a provider of "
        "ours: pip install postroom-resend"
    )
    assert not {"ssl", "requests", "msal", "smtplib", "http.client", "asyncio"} & set(said["modules"])
    assert [name for name in said["modules"] if name.startswith("postroom_")] == []


def test_core_alone_takes_a_non_ascii_domain(bare: Callable[..., Bare]) -> None:
    """What core imports late is among what it declares."""
    script = """
        import json
        from postroom import Address, Attachment
        print(json.dumps([Address.parse("a@straße.de").domain, Attachment("a.png", b"").content_type]))
        """
    assert bare("postroom").script(script) == ["xn--strae-oqa.de", "image/png"]


def test_smtp_delivers_from_its_wheels(
    bare: Callable[..., Bare], real_server: Callable[..., RealServer], ca: Certificates
) -> None:
    """The wheels of core and the two SMTP distributions are enough to deliver by STARTTLS and a login."""
    server = real_server(tls=ca.good, login=("ada", "pass word"))
    environ = {
        "MAIL_TYPE": "smtp",
        "MAIL_DEFAULT_SEND_FROM": "Ada <ada@example.com>",
        "SMTP_SERVER": "localhost",
        "SMTP_PORT": str(server.port),
        "SMTP_USERNAME": "ada",
        "SMTP_PASSWORD": "pass word",
        "SMTP_USE_TLS": "true",
        "SMTP_TLS_MODE": "starttls",
        "SMTP_CA_FILE": str(ca.ca_file),
        "SMTP_AUTH_TYPE": "basic",
    }
    said = bare("postroom-smtp-basic").script(
        """
        import json
        from postroom import MailMessage, MailSenderFactory
        sender = MailSenderFactory.create_from_dify_config(object())
        receipt = sender.deliver(MailMessage("grace@example.com", "Grüße", "<p>Hello</p>"))
        names = MailSenderFactory.get_supported_types()
        print(json.dumps({"names": names, "by": receipt.provider, "accepted": receipt.accepted}))
        """,
        **environ,
    )
    assert said == {"names": ["smtp", "smtp-basic"], "by": "smtp-basic", "accepted": ["grace@example.com"]}
    (delivered,) = server.messages
    assert (delivered.mail_from, delivered.rcpt_tos) == ("ada@example.com", ["grace@example.com"])
    assert (delivered.user, delivered.tls) == ("ada", True)


def test_the_router_alone_says_what_to_install(bare: Callable[..., Bare]) -> None:
    """`postroom-smtp` without a provider of the family names the distribution that is missing."""
    said = bare("postroom-smtp").script(
        """
        import json
        from postroom import MailSenderFactory, UnknownProviderError
        try:
            MailSenderFactory.create_sender("smtp", {"server": "mail.example.com", "port": 587})
        except UnknownProviderError as error:
            print(json.dumps(str(error)))
        """
    )
    assert said.startswith("Unsupported mail type: smtp-basic (chosen by smtp from its settings). Installed: smtp; ")
    assert said.endswith("pip install postroom-smtp-basic")


@pytest.mark.parametrize("name", NAMES)
def test_every_module_imports_with_what_is_declared(
    bare: Callable[..., Bare], wheels: dict[str, Wheel], name: str
) -> None:
    """With the requirements and extras that its wheel declares, and no more, every module of it can be imported."""
    # The extras of core are the other distributions.
    extras = () if name == "postroom" else PROJECTS[name].get("optional-dependencies", ())
    environment = bare(name, *extras)
    script = f"""
        import importlib, json
        modules = {[module for module in wheels[name].modules if not module.endswith("__main__")]!r}
        print(json.dumps([importlib.import_module(module).__name__ for module in modules]))
        """
    assert len(environment.script(script)) >= 2


def test_the_command_runs_without_its_extras(bare: Callable[..., Bare]) -> None:
    """The command line needs nothing of what only its demo needs."""
    environment = bare("postroom-cli")
    assert "Usage:" in environment.run("-m", "postroom_cli", "--help")
    assert not (environment.site / "aiosmtpd").exists()


@pytest.mark.parametrize("name", NAMES)
def test_a_wheel_holds_what_it_should(wheels: dict[str, Wheel], name: str) -> None:
    """A wheel holds its package, typed, and its licence, and nothing else."""
    wheel = wheels[name]
    assert f"{wheel.package}/py.typed" in wheel.files
    assert wheel.files[f"{wheel.info}/licenses/LICENSE"] == (ROOT / "LICENSE").read_bytes()
    assert {file.split("/")[0] for file in wheel.files} == {wheel.package, wheel.info}
    source = next(folder for folder in FOLDERS if folder.joinpath("src", wheel.package).is_dir()) / "src"
    expected = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {file for file in wheel.files if file.startswith(f"{wheel.package}/")} == expected
    assert "py3-none-any" in wheel.path.name


@pytest.mark.parametrize("name", NAMES)
def test_the_metadata_is_complete(wheels: dict[str, Wheel], name: str) -> None:
    """The metadata of a wheel says name, version, licence, Python, summary, and what the README says."""
    metadata = wheels[name].metadata
    assert canonicalize_name(metadata["Name"]) == name
    assert metadata["Version"] == PROJECTS["postroom"]["version"]
    assert (metadata["License-Expression"], metadata["Requires-Python"]) == ("MIT", ">=3.11")
    assert metadata["Summary"]
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert len(str(metadata.get_payload()).strip()) > 50
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])


def entry_points(wheel: Wheel) -> list[tuple[str, str, str]]:
    """Return group, name and value of each entry point of a wheel."""
    parser = configparser.ConfigParser(delimiters="=")
    parser.read_string(wheel.files.get(f"{wheel.info}/entry_points.txt", b"").decode())
    return [(group, name, value) for group in parser.sections() for name, value in parser.items(group)]


@pytest.mark.parametrize("name", NAMES)
def test_a_wheel_offers_what_its_name_says(wheels: dict[str, Wheel], name: str) -> None:
    """`postroom-NAME` offers the provider NAME by the module `plugin`; some offer none, cli the command."""
    wheel = wheels[name]
    offered = entry_points(wheel)
    if name in ("postroom", "postroom-http", "postroom-flask"):
        assert offered == []
    elif name == "postroom-cli":
        assert offered == [("console_scripts", "postroom", "postroom_cli.main:main")]
    elif name == "postroom-testing":
        assert offered == [("pytest11", "postroom", "postroom_testing.plugin")]
    else:
        assert offered == [("mail.senders", name.removeprefix("postroom-"), f"{wheel.package}.plugin")]
    for _, _, value in offered:
        assert value.partition(":")[0] in wheel.modules


def imported_by(wheel: Wheel) -> set[str]:
    """Return the distributions whose modules a wheel imports, anywhere in its code."""
    found: set[str] = set()
    for file, source in wheel.files.items():
        if file.endswith(".py"):
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.Import):
                    found.update(alias.name.partition(".")[0] for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                    found.add(node.module.partition(".")[0])
    ours = {other.replace("-", "_"): other for other in PROJECTS}
    others = importlib.metadata.packages_distributions()
    distributions = set()
    for module in found - set(sys.stdlib_module_names) - {wheel.package}:
        names = [ours[module]] if module in ours else others.get(module, [module])
        distributions.update(str(canonicalize_name(each)) for each in names)
    return distributions


@pytest.mark.parametrize("name", NAMES)
def test_what_is_declared_is_what_is_imported(wheels: dict[str, Wheel], name: str) -> None:
    """A wheel declares every distribution that it imports, and imports every one that it declares."""
    wheel, imported = wheels[name], imported_by(wheels[name])
    always = set(wheel.requirements())
    by_extra = {
        each for extra in wheel.metadata.get_all("Provides-Extra", []) for each in wheel.requirements(extra)
    } - always
    assert imported - always - by_extra == set(), "imported, but not declared"
    assert always - imported == set(), "declared, but not imported"
    # A provider that an extra brings is imported by nobody: it is found by its entry point.
    assert by_extra - imported - set(PROJECTS) == set(), "declared by an extra, but not imported"


def test_versions_are_in_lockstep() -> None:
    """All distributions have one version, and one Python that they need."""
    assert len({project["version"] for project in PROJECTS.values()}) == 1
    assert {project["requires-python"] for project in PROJECTS.values()} == {">=3.11"}


@pytest.mark.parametrize("name", NAMES)
def test_our_distributions_require_each_other_up_to_the_next_major(name: str) -> None:
    """What one of ours requires of another is from this minor version on, and below the next major one."""
    project = PROJECTS[name]
    wanted = [
        *project["dependencies"],
        *(each for more in project.get("optional-dependencies", {}).values() for each in more),
    ]
    version = Version(project["version"])
    for requirement in map(Requirement, wanted):
        other = canonicalize_name(requirement.name)
        if other == name:
            assert requirement.extras, "an extra that is made of other extras names them"
        elif other in PROJECTS:
            expected = f">={version.major}.{version.minor},<{version.major + 1}"
            assert requirement.specifier == SpecifierSet(expected), requirement


def test_the_extras_of_core_bring_our_distributions() -> None:
    """Each extra of core that is named after a distribution brings it, and `all` brings every one."""
    extras = {
        extra: [Requirement(each) for each in wanted]
        for extra, wanted in PROJECTS["postroom"]["optional-dependencies"].items()
    }
    for extra, wanted in extras.items():
        if f"postroom-{extra}" in PROJECTS and extra != "smtp":
            assert [canonicalize_name(each.name) for each in wanted] == [f"postroom-{extra}"]
    (everything,) = extras["all"]
    assert everything.name == "postroom"
    brought = {f"postroom-{extra}" for extra in everything.extras}
    # What providers share comes with each of them, and the kit for provider authors is nobody's run-time need.
    assert brought >= set(PROJECTS) - {"postroom", "postroom-smtp", "postroom-http", "postroom-testing"}


def test_dify_can_install_us() -> None:
    """What core requires admits the versions that Dify locks."""
    locked = {"attrs": "23.2.0", "idna": "3.7", "importlib-metadata": "8.5.0", "pluggy": "1.6.0"}
    for requirement in map(Requirement, PROJECTS["postroom"]["dependencies"]):
        assert requirement.specifier.contains(locked[canonicalize_name(requirement.name)])
    assert SpecifierSet(PROJECTS["postroom"]["requires-python"]).contains("3.12.0")
