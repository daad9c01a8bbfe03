"""Other people's plugins, in real processes: what hangs, ends the process or cannot be shown keeps no command."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from distributions import write_pigeon
from postroom_testing import write_distribution

_PATIENCE = 60  # seconds; a command that hangs fails the test

HANGS = {
    "waits": "import threading\nthreading.Event().wait()\n",
    "is busy": "while True:\n    pass\n",
    "waits for its writer": "import os\nos.mkfifo(__file__ + '.pipe')\nopen(__file__ + '.pipe')\n",
}
HOOK = """
    import asyncio
    import attrs
    from postroom import Provider, Rule, SenderSettings, hookimpl, setting

    class Odd(BaseException):
        def __str__(self):
            raise SystemExit(9)

    class Broken(Rule):
        def likeness(self, symptom):
            RULE

    @attrs.frozen(kw_only=True)
    class Settings(SenderSettings):
        perch: str = attrs.field(metadata=setting("where it sits"))

        def doubts(self):
            DOUBTS

    @hookimpl
    def postroom_provider():
        HOOK
        rules = [Broken(meaning="a", remedy="b", source="https://x.test", code="535")]
        return Provider("owl", Settings, Settings, rules=rules)
"""
RAISES = [
    "raise SystemExit(5)",
    "raise KeyboardInterrupt",
    "raise GeneratorExit",
    "raise Odd",
    "raise ValueError(Odd())",
]


def command(site: Path, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run `postroom` with a folder of distributions on its path."""
    return subprocess.run(
        [sys.executable, "-m", "postroom_cli", *arguments],
        env={**os.environ, "PYTHONPATH": str(site), **variables},
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def write_owl(site: Path, source: str) -> None:
    """Write a distribution with a plugin of this source, beside one that works."""
    write_distribution(site, "acme-owl", {"owl": "owl_plugin"}, modules={"owl_plugin": source})
    write_pigeon(site)


@pytest.mark.parametrize("source", HANGS.values(), ids=HANGS.keys())
def test_an_import_that_hangs_is_listed_as_such(site: Path, source: str) -> None:
    """`providers` names it with the reason, and lists the others; the command ends."""
    write_owl(site, source)
    done = command(site, "providers", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = {each["name"]: each for each in json.loads(done.stdout)}
    assert (found["owl"]["status"], found["owl"]["reason"]) == ("broken", "nothing came back within 5 seconds")
    assert found["pigeon"]["status"] == found["smtp-basic"]["status"] == "ok"


def test_an_import_that_hangs_is_told_when_it_is_asked_for(site: Path) -> None:
    """`providers NAME` and `doctor` say which distribution hangs."""
    write_owl(site, HANGS["waits"])
    said = "mail type owl (acme-owl 1.0, owl_plugin) cannot be loaded: nothing came back within"
    done = command(site, "providers", "owl")
    assert (done.returncode, done.stderr) == (2, f"error: {said} 5 seconds\n")
    done = command(site, "doctor", MAIL_TYPE="owl")
    assert done.returncode == 2
    assert f"{said} 8 seconds" in done.stdout
    assert done.stdout.rstrip().endswith("Install acme-owl anew, or tell its authors")


def test_an_import_that_hangs_keeps_no_explanation(site: Path) -> None:
    """`explain` answers by the others, and says which is left out."""
    write_owl(site, HANGS["waits"])
    done = command(site, "explain", "535", "5.7.8")
    assert done.returncode == 0
    assert "smtp-basic" in done.stdout
    assert done.stderr == "warning: owl is left out: nothing came back within 5 seconds\n"


def test_an_import_that_hangs_keeps_no_diagnosis(site: Path) -> None:
    """`doctor` examines the provider that is asked for, and warns about the one that hangs."""
    write_owl(site, HANGS["waits"])
    done = command(site, "doctor", "--json", MAIL_TYPE="pigeon", PIGEON_LOFT="north", PIGEON_RING="1")
    report = json.loads(done.stdout)
    assert (done.returncode, report["ok"], report["provider"]) == (0, True, "pigeon")
    assert "owl is installed and cannot be looked at" in report["warnings"][-1]["text"]


@pytest.mark.parametrize("place", ["HOOK", "DOUBTS", "RULE"])
@pytest.mark.parametrize("what", RAISES)
def test_what_another_provider_raises_keeps_no_command(site: Path, place: str, what: str) -> None:
    """Whatever its hook, its doubts or its rules raise, `providers`, `explain` and `doctor` do what they are for."""
    source = HOOK.replace(place, what)
    for other, harmless in (("HOOK", "pass"), ("DOUBTS", "return iter(())"), ("RULE", "return 0")):
        source = source.replace(f"    {other}\n", f"    {harmless}\n")
    write_owl(site, source)
    done = command(site, "providers")
    assert done.returncode == 0, done.stderr
    assert "acme-pigeon" in done.stdout
    assert "acme-owl" in done.stdout
    done = command(site, "explain", "535", "5.7.8")
    assert (done.returncode, done.stderr) == (0, "")
    assert "smtp-basic" in done.stdout
    variables = {"MAIL_TYPE": "pigeon", "PIGEON_LOFT": "north", "PIGEON_RING": "1", "OWL_PERCH": "oak"}
    done = command(site, "doctor", "--json", **variables)
    assert (done.returncode, json.loads(done.stdout)["provider"]) == (0, "pigeon")


@pytest.mark.parametrize("what", RAISES)
def test_what_the_provider_itself_raises_is_told(site: Path, what: str) -> None:
    """`doctor` says that the provider does not work, in one line, whatever its hook has raised."""
    write_owl(
        site, HOOK.replace("    HOOK\n", f"    {what}\n").replace("DOUBTS", "return ()").replace("RULE", "return 0")
    )
    done = command(site, "doctor", MAIL_TYPE="owl", OWL_PERCH="oak")
    assert done.returncode == 2
    assert done.stdout.startswith("failed      provider: mail type owl")
    assert done.stderr == ""


@pytest.mark.parametrize("what", RAISES)
def test_what_a_probe_raises_is_told(site: Path, what: str) -> None:
    """`doctor` ends with the failed step, and not when its time is over."""
    write_owl(site, "x = 1")
    plugin = site / "pigeon_plugin.py"
    odd = "class Odd(BaseException):\n    def __str__(self):\n        raise SystemExit(9)\n"
    source = plugin.read_text("utf-8").replace(
        "def check_connection(self):\n        pass", f"def check_connection(self):\n        {what}"
    )
    plugin.write_text(source.replace("SENT = []", f"SENT = []\n{odd}"), "utf-8")
    done = command(site, "doctor", MAIL_TYPE="pigeon", PIGEON_LOFT="north", PIGEON_RING="1")
    assert done.returncode == 1
    assert done.stdout.startswith("failed      check: unexpected ")


def test_escapes_of_a_plugin_reach_no_terminal(site: Path) -> None:
    """Title, help, defaults and reasons are shown without control characters."""
    source = """
        import attrs
        from postroom import Provider, SenderSettings, hookimpl, setting

        @attrs.frozen(kw_only=True)
        class Settings(SenderSettings):
            perch: str = attrs.field(default="o\\x1b[2Jak", metadata=setting("wh\\x1b]0;x\\x07ere"))

        @hookimpl
        def postroom_provider():
            return Provider("owl", Settings, Settings, title="O\\x1b[31mwl")
    """
    write_owl(site, source)
    write_distribution(
        site, "acme-dove", {"dove": "dove_plugin"}, modules={"dove_plugin": "raise ValueError('\\x1b[2J')"}
    )
    for arguments in (("providers",), ("providers", "owl"), ("doctor", "--provider", "owl")):
        done = command(site, *arguments)
        assert "owl" in done.stdout.lower()
        assert all(line.isprintable() for line in (done.stdout + done.stderr).splitlines())
