"""Other people's imports, paths and metadata, each in a process of its own: none keeps a sender that needs it not."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from distributions import write_pigeon
from postroom_testing import write_distribution

_PATIENCE = 60  # seconds; a process that hangs fails the test

HANGS = """
    import threading
    import rendezvous
    rendezvous.begun.append(__name__)
    rendezvous.begins.set()
    rendezvous.may_end.wait()
"""
RENDEZVOUS = "import threading\nbegun, begins, may_end = [], threading.Event(), threading.Event()\n"
PIGEON = '"pigeon", {"loft": "north", "ring": "r-1"}'


def run(site: Path, script: str, *more: Path) -> str:
    """Run a script with a folder of distributions on its path, and return what it prints."""
    path = os.pathsep.join(map(str, [site, *more]))
    done = subprocess.run(
        [sys.executable, "-c", "import sys, os, threading\n" + textwrap.dedent(script)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def hanging(site: Path) -> Path:
    """Return a folder with a plugin that works, and one whose import waits until it may end."""
    write_pigeon(site)
    write_pigeon(site, "owl")
    module = site / "owl_plugin.py"
    module.write_text(textwrap.dedent(HANGS) + module.read_text("utf-8"), "utf-8")
    (site / "rendezvous.py").write_text(RENDEZVOUS, "utf-8")
    return site


def test_an_import_that_hangs_keeps_nobody_else(hanging: Path) -> None:
    """While one plugin is being imported, other senders are made, observers registered and mails observed."""
    script = f"""
        import rendezvous
        from postroom import MailSenderFactory, default_registry
        threading.Thread(target=default_registry().load, args=("owl",), daemon=True).start()
        rendezvous.begins.wait()
        sender = MailSenderFactory.create_sender({PIGEON})
        default_registry().register(object())
        default_registry().observe("postroom_message_sent", message=None, receipt=None)
        print(sender.provider, "owl" in MailSenderFactory.get_supported_types())
    """
    assert run(hanging, script) == "pigeon True\n"


def test_two_threads_that_ask_for_one_plugin_import_it_once(hanging: Path) -> None:
    """The second waits for the first, and has the same plugin."""
    script = """
        import rendezvous
        from postroom import default_registry
        found = []
        ask = lambda: found.append(default_registry().load("owl"))
        threads = [threading.Thread(target=ask, daemon=True) for _ in range(8)]
        for each in threads: each.start()
        rendezvous.begins.wait()
        assert found == []
        rendezvous.may_end.set()
        for each in threads: each.join()
        print(rendezvous.begun, len(found), len(set(map(id, found))))
    """
    assert run(hanging, script) == "['owl_plugin'] 8 1\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_child_that_is_forked_in_the_middle_of_an_import_sends(hanging: Path) -> None:
    """A forked child inherits no lock of its parent's threads."""
    script = f"""
        import rendezvous
        from postroom import MailSenderFactory, default_registry
        threading.Thread(target=default_registry().load, args=("owl",), daemon=True).start()
        rendezvous.begins.wait()
        child = os.fork()
        if not child:
            import signal
            signal.alarm(30)
            made = MailSenderFactory.create_sender({PIGEON})
            os._exit(0 if made.provider == "pigeon" else 1)
        print(os.waitpid(child, 0)[1])
    """
    assert run(hanging, script) == "0\n"


def test_nothing_is_imported_that_was_not_asked_for(hanging: Path) -> None:
    """A sender by `smtp` imports the route and the provider, and no other plugin."""
    script = """
        import rendezvous
        from postroom import MailSenderFactory
        sender = MailSenderFactory.create_sender("smtp", {"server": "127.0.0.1", "port": 25})
        strangers = {"owl_plugin", "pigeon_plugin", "postroom_resend", "postroom_sendgrid", "postroom_smtp_oauth2"}
        print(sender.provider, rendezvous.begun, strangers & set(sys.modules))
    """
    assert run(hanging, script) == "smtp-basic [] set()\n"


ENTRIES = {
    "bytes": "os.fsencode(folder)",
    "a Path": "pathlib.Path(folder)",
    "None": "None",
    "a number": "5",
    "a loop of links": "loop",
    "a name that is too long": "folder + '/' + 'x' * 5000",
    "NUL": "folder + '/\\0'",
    "a surrogate": "folder + '/\\udfff\\ud800'",
    "a file": "folder + '/file'",
    "what is below a file": "folder + '/file/below'",
    "a device": "os.devnull",
    "a named pipe": "folder + '/pipe'",
    "an egg that is no egg": "folder + '/file.egg'",
}


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES.keys())
@pytest.mark.parametrize("library", [False, True], ids=["by folders", "by the library"])
def test_an_entry_of_the_path_that_nobody_can_read_is_passed_over(
    site: Path, tmp_path: Path, entry: str, library: bool
) -> None:
    """As Python and `importlib.metadata` do it; what lies in it in spite of that could not be imported."""
    write_pigeon(site)
    other = tmp_path / "other"
    write_pigeon(other, "dove")
    (other / "file").write_bytes(b"x")
    (other / "file.egg").write_bytes(b"x")
    (other / "loop").symlink_to(other / "loop")
    os.mkfifo(other / "pipe")
    script = f"""
        import pathlib
        folder = {str(other)!r}
        loop = folder + "/loop"
        class Finder:
            find_spec = staticmethod(lambda *_: None)
            find_distributions = staticmethod(lambda context: ())
        if {library}:
            sys.meta_path.append(Finder())
        from postroom import MailSenderFactory, default_registry
        sys.path.append({entry})  # at the end: of some, Python's own import fails at the first module behind them
        print(MailSenderFactory.create_sender({PIGEON}).provider, "dove" in default_registry().names())
    """
    assert run(site, script) == "pigeon False\n"


def test_a_folder_that_is_gone_is_passed_over(site: Path, tmp_path: Path) -> None:
    """A relative entry of the path leads nowhere when the current folder has been removed."""
    write_pigeon(site)
    script = f"""
        gone = {str(tmp_path / "gone")!r}
        os.mkdir(gone)
        os.chdir(gone)
        os.rmdir(gone)
        from postroom import MailSenderFactory
        sys.path += ["", ".", "below"]
        print(MailSenderFactory.create_sender({PIGEON}).provider)
    """
    assert run(site, script) == "pigeon\n"


FINDERS = {
    "raises": "raise RuntimeError('\\x1b[2J')",
    "ends the process": "sys.exit(3)",
    "fails in the middle": "yield from [Bad()]; raise OSError",
    "finds what fails": "return [Bad()]",
    "finds what is none": "return [None, 5, 'x']",
}


@pytest.mark.parametrize("body", FINDERS.values(), ids=FINDERS.keys())
def test_a_finder_of_somebody_elses_that_fails_is_passed_over(site: Path, body: str) -> None:
    """What it raises, or what it has found raises, hides no other distribution."""
    write_pigeon(site)
    script = f"""
        class Bad:
            def __str__(self): sys.exit(4)
            def __getattr__(self, name): raise RuntimeError(name)
        class Finder:
            def find_spec(self, *_): return None
            def find_distributions(self, context):
                {body}
        sys.meta_path.insert(0, Finder())
        from postroom import MailSenderFactory
        print(MailSenderFactory.create_sender({PIGEON}).provider)
    """
    assert run(site, script) == "pigeon\n"


NAMES = """
    from postroom import default_registry
    registry = default_registry()
    print("pigeon" in registry.names(), "owl" in registry.names(), [each.reason for each in registry.skipped])
"""


def write_owl(site: Path) -> Path:
    """Write a distribution, and one whose provider works."""
    write_pigeon(site)
    return write_pigeon(site, "owl")


@pytest.mark.parametrize("name", ["entry_points.txt", "METADATA"])
@pytest.mark.parametrize("kind", ["pipe", "folder", "loop", "gone", "endless"])
def test_metadata_that_are_no_file_are_passed_over(site: Path, name: str, kind: str) -> None:
    """Nobody waits for the writer of a pipe, nor reads a device to its end."""
    file = write_owl(site) / name
    file.unlink()
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    elif kind == "loop":
        file.symlink_to(file)
    elif kind == "endless":
        file.symlink_to("/dev/zero")
    reason = [] if name == "entry_points.txt" else ["its metadata cannot be read (ValueError: no Name in METADATA)"]
    assert run(site, NAMES) == f"True False {reason}\n"


@pytest.mark.parametrize("library", [False, True], ids=["a file", "a file beside a zip file"])
def test_a_file_in_place_of_the_metadata_folder_is_passed_over(site: Path, tmp_path: Path, library: bool) -> None:
    """A distribution whose folder is a file, or a named pipe, is none."""
    write_pigeon(site)
    (site / "acme_owl-1.0.dist-info").write_text("x")
    os.mkfifo(site / "acme_dove-1.0.dist-info")
    zipped = tmp_path / "x.zip"
    zipped.write_bytes(b"PK\5\6" + bytes(18))
    assert run(site, NAMES, *([zipped] if library else [])) == "True False []\n"


def test_metadata_in_another_encoding_do_no_harm(site: Path) -> None:
    """The name of an author may be in Latin-1: what we read is ASCII. A byte order mark is no part of a section."""
    info = write_owl(site)
    (info / "METADATA").write_bytes(b"Metadata-Version: 2.1\r\nName: acme-owl\r\nAuthor: M\xfcller\r\nVersion: 1.0\r\n")
    (info / "entry_points.txt").write_bytes(b"\xef\xbb\xbf[mail.senders]\r\nowl = owl_plugin\r\n")
    assert run(site, NAMES) == "True True []\n"


def test_a_huge_file_is_not_read_to_its_end(site: Path) -> None:
    """Of METADATA the beginning counts; entry points of a megabyte are refused, with the reason."""
    info = write_owl(site)
    with (info / "METADATA").open("ab") as file:
        file.truncate(1 << 36)
    assert run(site, NAMES) == "True True []\n"
    with (info / "entry_points.txt").open("ab") as file:
        file.truncate(1 << 36)
    reason = "its metadata cannot be read (ValueError: entry_points.txt has 1048576 octets or more)"
    assert run(site, NAMES) == f"True False {[reason]}\n"


@pytest.mark.parametrize("line", ["owl\x1b[2J = owl_plugin", "owl = owl_plugin\x07", "o\u202ewl = owl_plugin"])
def test_a_name_that_would_move_a_cursor_is_no_name(site: Path, line: str) -> None:
    """Control characters never reach a log or a terminal: the line is refused, and shown with escapes."""
    (write_owl(site) / "entry_points.txt").write_text(f"[mail.senders]\n{line}\n", "utf-8")
    said = run(site, NAMES)
    assert said.startswith("True False [")
    assert "in entry_points.txt is not NAME = MODULE" in said
    assert said.rstrip("\n").isprintable()


def test_names_with_blanks_and_signs_are_names(site: Path) -> None:
    """A name may hold what is neither a control character nor `=`; it is asked for as it is written."""
    (write_owl(site) / "entry_points.txt").write_text("[mail.senders]\nnight  Owl@office = owl_plugin\n", "utf-8")
    script = """
        from postroom import MailSenderFactory
        try:
            MailSenderFactory.create_sender(" Night owl@Office", {})
        except Exception as error:
            print(error)
    """
    assert "(acme-owl 1.0, owl_plugin) cannot be loaded: its Provider is named 'owl'" in run(site, script)


@pytest.mark.parametrize(("one", "other"), [("Eule", "eULE"), ("gr\u00fcn", "gru\u0308n"), ("\ufb01nk", "FINK")])
def test_names_that_look_the_same_are_the_same(site: Path, one: str, other: str) -> None:
    """Neither case nor the form of Unicode makes another name: two of them are a conflict."""
    write_distribution(site, "acme-one", {one: "one"})
    write_distribution(site, "acme-two", {other: "two"})
    script = f"""
        from postroom import default_registry
        for name in ({one!r}, {other!r}):
            try:
                default_registry().provider(name, {{}})
            except Exception as error:
                print(type(error).__name__, *error.distributions)
    """
    assert run(site, script) == "ProviderConflictError acme-one acme-two\n" * 2


def test_one_distribution_that_claims_a_name_twice_is_told(site: Path) -> None:
    """Nobody can uninstall all but one of it; the same line twice is harmless."""
    info = write_owl(site)
    script = """
        from postroom import default_registry
        try:
            print(default_registry().provider("owl", {}).name)
        except Exception as error:
            print(error)
    """
    (info / "entry_points.txt").write_text("[mail.senders]\nowl = owl_plugin\nOWL = owl_plugin\n")
    assert run(site, script) == "owl\n"
    (info / "entry_points.txt").write_text("[mail.senders]\nowl = owl_plugin\nOWL = other\n")
    said = "mail type owl is claimed more than once by acme-owl 1.0 (owl_plugin and other): tell its authors\n"
    assert run(site, script) == said


@pytest.mark.parametrize("value", [".relative", "a..b", "1 + 1", "owl_plugin:", ":", "owl_plugin:a.b", "sys:exit"])
def test_a_value_that_names_no_plugin_is_a_load_error(site: Path, value: str) -> None:
    """Whatever an entry point names, the error says so, with the distribution."""
    (write_owl(site) / "entry_points.txt").write_text(f"[mail.senders]\nowl = {value}\n")
    script = """
        from postroom import MailSenderFactory, ProviderLoadError
        try:
            print(MailSenderFactory.create_sender("owl", {"loft": "north", "ring": "1"}).provider)
        except ProviderLoadError as error:
            print(error.distribution)
    """
    assert run(site, script) == ("owl\n" if value == "owl_plugin:" else "acme-owl\n")
