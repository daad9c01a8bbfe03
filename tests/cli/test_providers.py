"""`postroom providers`: good ones, families, and each broken one with its reason."""

import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import click
import pytest
from click.testing import Result

from distributions import write_pigeon
from postroom import ProviderRegistry
from postroom_testing import write_distribution

Run = Callable[..., Result]

KEYS = {"name", "status", "distribution", "version", "value", "title", "env_prefix", "routes_to", "reason"}
ROUTE = """
    from postroom import hookimpl

    @hookimpl
    def postroom_route(config):
        return TARGET
"""
NOT_DESCRIBED = """
    import attrs
    from postroom import Provider, SenderSettings, hookimpl

    @attrs.frozen(kw_only=True)
    class Settings(SenderSettings):
        token: str = ""

    @hookimpl
    def postroom_provider():
        return Provider("vague", Settings, Settings)
"""
BOTH = """
    from postroom import Provider, SenderSettings, hookimpl

    @hookimpl
    def postroom_route(config):
        return config.get("other")

    @hookimpl
    def postroom_provider():
        return Provider("both", SenderSettings, SenderSettings)
"""


def write_plugin(site: Path, name: str, source: str) -> None:
    """Install the distribution `acme-NAME` with one plugin of this source."""
    module = f"{name}_plugin"
    write_distribution(site, f"acme-{name}", {name: module}, modules={module: source})


def listed(run: Run) -> dict[str | None, dict[str, str | None]]:
    """Return the JSON listing by name."""
    result = run("providers", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    found = json.loads(result.stdout)
    assert all(each.keys() == KEYS for each in found)
    return {each["name"]: each for each in found}


def test_lists_what_is_installed(run: Run) -> None:
    """Name, distribution, version, title, variables and status stand in one table; a family is marked as one."""
    result = run("providers")
    assert (result.exit_code, result.stderr) == (0, "")
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["smtp", "postroom-smtp", version("postroom-smtp"), "route", "to", "smtp-basic"] in rows
    assert ["smtp-basic", "postroom-smtp-basic", version("postroom-smtp-basic"), "SMTP", "SMTP_…", "ok"] in rows


def test_json_is_a_list_by_name_with_the_same_keys_always(run: Run, site: Path) -> None:
    """Each object has every key; a third party's provider is among them."""
    write_pigeon(site)
    found = listed(run)
    assert list(found) == ProviderRegistry().names()
    assert {"pigeon", "smtp", "smtp-basic"} <= found.keys()
    assert found["pigeon"] == {
        "name": "pigeon",
        "status": "ok",
        "distribution": "acme-pigeon",
        "version": "1.0",
        "value": "pigeon_plugin",
        "title": "pigeon",
        "env_prefix": "PIGEON_",
        "routes_to": None,
        "reason": None,
    }
    assert (found["smtp"]["status"], found["smtp"]["routes_to"]) == ("route", "smtp-basic")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise RuntimeError('no\\nwings')", "RuntimeError: no wings"),
        ("import wings_that_nobody_has", "ModuleNotFoundError: No module named 'wings_that_nobody_has'"),
        ("raise SystemExit('gone')", "SystemExit: gone"),
        ("this is no Python", "SyntaxError"),
        ("", "expected postroom_provider() to return a Provider"),
        (ROUTE.replace("TARGET", "1 / 0"), "postroom_route failed: ZeroDivisionError"),
        (ROUTE.replace("TARGET", "5"), "postroom_route returned int"),
        (NOT_DESCRIBED, "TypeError: settings field 'token' has no metadata=setting(...)"),
    ],
)
def test_a_broken_provider_is_named_with_its_reason(run: Run, site: Path, source: str, reason: str) -> None:
    """Whatever fails when a provider is loaded is said on one line, and disturbs no other."""
    write_plugin(site, "vague", source)
    found = listed(run)
    assert (found["vague"]["status"], found["vague"]["distribution"]) == ("broken", "acme-vague")
    assert reason in (found["vague"]["reason"] or "")
    assert found["smtp-basic"]["status"] == "ok"
    result = run("providers")
    assert result.exit_code == 0
    (line,) = (line for line in result.stdout.splitlines() if line.startswith("vague: "))
    assert reason in line


def test_two_claims_on_one_name_are_both_listed(run: Run, site: Path) -> None:
    """A conflict shows each distribution that claims the name, and the reason names both."""
    write_pigeon(site, distribution="acme-pigeon")
    write_pigeon(site, distribution="zeta-pigeon", version="2.0")
    result = run("providers", "--json")
    claims = [each for each in json.loads(result.stdout) if each["name"] == "pigeon"]
    assert result.exit_code == 0
    assert [(each["distribution"], each["status"]) for each in claims] == [
        ("acme-pigeon", "conflict"),
        ("zeta-pigeon", "conflict"),
    ]
    assert all("acme-pigeon 1.0" in each["reason"] and "zeta-pigeon 2.0" in each["reason"] for each in claims)


def test_a_malformed_distribution_is_listed_as_skipped(run: Run, site: Path) -> None:
    """A distribution whose entry points cannot be read is named with the reason, once, and hurts nobody."""
    write_distribution(site, "acme-crooked", "[mail.senders]\nthis line says nothing\n")
    write_pigeon(site)
    found = listed(run)
    assert (found["pigeon"]["status"], found["smtp-basic"]["status"]) == ("ok", "ok")
    assert (found[None]["status"], found[None]["distribution"]) == ("skipped", "acme-crooked")
    assert found[None]["reason"]
    result = run("providers")
    assert (result.exit_code, result.stderr) == (0, "")
    assert any(line.startswith("acme-crooked: ") for line in result.stdout.splitlines())


def test_a_family_whose_member_is_missing_is_still_a_family(run: Run, site: Path) -> None:
    """What a route leads to may not be installed: that is said, and the route is not called broken."""
    write_plugin(site, "birds", ROUTE.replace("TARGET", "'birds-of-prey'"))
    found = listed(run)["birds"]
    assert (found["status"], found["routes_to"]) == ("route", None)
    assert "Unsupported mail type: birds-of-prey (chosen by birds from its settings)" in (found["reason"] or "")


def test_a_plugin_may_be_route_and_provider(run: Run, site: Path) -> None:
    """A route that chooses nobody leaves the provider of its own name."""
    write_plugin(site, "both", BOTH)
    assert listed(run)["both"]["status"] == "ok"


def test_nothing_installed_says_what_to_install(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty list is a sentence, and an empty list in JSON."""
    monkeypatch.setattr("sys.path", [])
    assert run("providers").stdout == "No provider is installed. For SMTP: pip install postroom-smtp-basic\n"
    assert json.loads(run("providers", "--json").stdout) == []


def test_settings_of_one_provider(run: Run) -> None:
    """`postroom providers NAME` has a row for each setting: variable, what it is, value, default."""
    result = run("providers", "smtp-basic")
    assert (result.exit_code, result.stderr) == (0, "")
    rows = {line.split()[0]: " ".join(line.split()) for line in result.stdout.splitlines() if line.split()}
    assert rows["SMTP_SERVER"] == "SMTP_SERVER host name or address of the server text required"
    assert rows["SMTP_PASSWORD"] == "SMTP_PASSWORD password to log in with text, secret"
    assert rows["SMTP_TLS_VERIFY"].endswith("true or false true")
    assert rows["SMTP_DEADLINE"].endswith("a number 180")
    assert "route" not in rows


def test_settings_of_a_family_are_those_of_the_member_it_leads_to(run: Run) -> None:
    """A route has no settings of its own, so its usual member's are shown, and that is said."""
    result = run("providers", "SMTP")
    assert result.exit_code == 0
    assert result.stdout.startswith("route       SMTP leads to smtp-basic when no setting chooses another\n")
    assert "SMTP_PASSWORD" in result.stdout


def test_settings_as_json(run: Run, site: Path) -> None:
    """Each setting is an object; a default that is a secret stays hidden."""
    write_pigeon(site)
    source = site / "pigeon_plugin.py"
    text = source.read_text(encoding="utf-8")
    source.write_text(text.replace("ring: Secret = attrs.field(", 'ring: Secret = attrs.field(default="swordfish", '))
    result = run("providers", "pigeon", "--json")
    found = {each["field"]: each for each in json.loads(result.stdout)}
    assert list(found) == ["default_from", "timeout", "loft", "ring", "grains", "at_night", "breed"]
    assert found["grains"] == {
        "field": "grains",
        "variable": "PIGEON_GRAINS",
        "help": "what one flight costs",
        "type": "a whole number",
        "secret": False,
        "required": False,
        "default": 10,
    }
    assert found["loft"]["required"] is True
    assert (found["ring"]["secret"], found["ring"]["default"]) == (True, "***")
    assert "swordfish" not in result.output + run("providers", "pigeon").output


@pytest.mark.parametrize("name", ["smtp-basc", "carrier-pigeon"])
def test_an_unknown_name_is_exit_2(run: Run, name: str) -> None:
    """A name that nobody offers says what is installed and what to do."""
    result = run("providers", name)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"error: Unsupported mail type: {name}. Installed: ")


def test_a_terminal_gets_a_table_of_its_width(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is a terminal, long cells go on in the next line."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "60")
    result = run("providers")
    assert max(map(len, click.unstyle(result.stdout).splitlines())) <= 60


def test_a_pipe_gets_the_whole_table(run: Run, site: Path) -> None:
    """Long names are not cut where there is no terminal to be too narrow."""
    name = "a-provider-with-a-very-long-name-that-no-terminal-of-eighty-columns-would-show"
    write_pigeon(site, name)
    assert name in run("providers").stdout
