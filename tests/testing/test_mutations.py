"""The contract suite catches what goes wrong in providers: each mutation of a good one, by the check that names it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from postroom_testing import write_distribution

PIGEON = Path(__file__).with_name("pigeon_post")
PACKAGE = ("plugin.py", "settings.py", "sender.py")


@attrs.frozen
class Mutation:
    """One thing that an author may get wrong."""

    name: str
    check: str
    """The check that must fail, without the name of the class."""
    file: str
    old: str
    new: str
    says: str = ""
    """What the author must read in pytest's output."""


def sender(name: str, check: str, old: str, new: str, says: str = "") -> Mutation:
    """Return a mutation of the sender's module."""
    return Mutation(name, check, "sender.py", old, new, says)


def plugin(name: str, check: str, old: str, new: str, says: str = "") -> Mutation:
    """Return a mutation of the plugin's module."""
    return Mutation(name, check, "plugin.py", old, new, says)


_ASK = '        said = self._ask("POST", "/letters", to_payload(message))\n'
_RETURN = "accepted=message.recipients)"

_LAST = 'metadata=setting("seconds that a flight may take"))\n'
_LOOKS = """
    def {0}(self):
        import urllib.parse
        yield from super().{0}()
        {1}
"""

MUTATIONS = [
    # Errors and outcomes
    sender("raises its own exception", "test_the_error_is_ours[rejected]", "raise MailRejectedError(said, code=status)", "raise ValueError(said)", says="raise a MailSendError with the outcome that you know"),
    sender("lets the library's exception out", "test_the_error_is_ours[refused]", "except requests.ConnectionError as error:", "except ZeroDivisionError as error:"),
    sender("swallows errors", "test_the_outcome_is_true[rejected]", "        if status >= 400:\n", "        if status >= 500:\n", says="who gets a receipt never sends again"),
    sender("says not sent after the body has left", "test_the_outcome_is_true[lost]", 'before it answered", outcome=lost)', 'before it answered")'),
    sender("says not sent when no answer comes", "test_the_outcome_is_true[silent]", 'did not answer in time", outcome=lost)', 'did not answer in time")'),
    sender("says unknown when nobody listens", "test_the_outcome_is_true[refused]", 'cannot be reached", stage="connect", transient=True)', 'cannot be reached", stage="connect", transient=True, outcome=lost)'),
    sender("takes any 200 for an acceptance", "test_the_outcome_is_true[garbled]", "            raise MailUnavailableError(said, code=status, outcome=lost) from error", "            return {}"),
    sender("invites to send again what may be sent", "test_an_unknown_outcome_is_not_safe_to_retry[lost]", 'before it answered", outcome=lost)', 'before it answered", outcome=lost, transient=True)'),
    sender("takes a wrong key for a refusal", "test_the_error_has_its_class[unauthorized]", "raise MailAuthError(", "raise MailRejectedError(", says="MailRejectedError when unauthorized, not MailAuthError"),
    sender("takes throttling for a refusal", "test_the_error_has_its_class[throttled]", "raise MailRateLimitError(said, code=status, transient=True, retry_after=wait)", "raise MailRejectedError(said, code=status)"),
    sender("calls throttling permanent", "test_transient_is_true[throttled]", "code=status, transient=True, retry_after=wait", "code=status, retry_after=wait"),
    sender("forgets how long to wait", "test_throttling_says_how_long_to_wait", ", retry_after=wait)", ")"),
    plugin("does not say what to set", "test_a_wrong_key_has_a_remedy", "rules=RULES", "", says="say which variable to check"),
    plugin("sends the operator to a variable of another", "test_a_remedy_names_the_providers_variables[unauthorized]", "Check {api_key}", "Check SMTP_PASSWORD", says="SMTP_PASSWORD"),
    sender("says what the server says, line ends and all", "test_the_error_is_one_line[rejected]", 'words = "".join(char for char in body.decode(errors="replace") if char.isprintable())[:200]', 'words = json.loads(body or b"{}").get("error")'),
    sender("shows the key in an error", "test_no_secret_is_shown[rejected]", "raise MailRejectedError(said, code=status)", 'raise MailRejectedError(f"{said} with {self._settings.api_key.reveal()}", code=status)'),
    sender("shows the key in base64", "test_no_secret_is_shown[rejected]", "raise MailRejectedError(said, code=status)", 'raise MailRejectedError(f"{said} to {base64.b64encode(b"user:" + self._settings.api_key.reveal().encode()).decode()}", code=status)', says="a secret is in the error or the log when rejected"),
    sender("shows a piece of the key in what it hides", "test_no_secret_is_shown[unauthorized]", "            raise MailAuthError(said, code=status)", "            try:\n                raise KeyError(self._settings.api_key.reveal()[3:15])\n            except KeyError:\n                raise MailAuthError(said, code=status) from None", says="a secret is in the error or the log when unauthorized"),
    sender("keeps the body with the error", "test_no_body_is_shown[rejected]", _ASK, "        try:\n    " + _ASK + "        except MailRejectedError as error:\n            error.message = to_payload(message)\n            raise\n", says="the body is shown when rejected"),
    sender("logs the key", "test_success_shows_no_secret", _ASK, '        _log.debug("with %s", self._settings.api_key.reveal())\n' + _ASK),
    sender("logs the body", "test_nothing_is_logged_of_a_body", _ASK, '        _log.debug("%s", to_payload(message))\n' + _ASK),
    sender("has an error that cannot cross a queue", "test_the_error_crosses_a_queue[rejected]", "raise MailRejectedError(said, code=status)", 'raise type("Local", (MailRejectedError,), {})(said, code=status)'),
    # Time
    sender("has no time-out", "test_the_sender_comes_back[silent]", "        end_at(until)\n", '        settings = type(settings)(api_key=settings.api_key, api_url=settings.api_url, timeout=900.0)\n', says="pass the time-outs of the settings"),
    sender("waits for ever for a head that drips", "test_the_sender_comes_back[answered slowly from the first octet]", "                self._session.mount(self._settings.api_url, PunctualAdapter())\n", "", says="pass the time-outs of the settings"),
    sender("ignores the deadline", "test_the_sender_comes_back[dripping]", "until = time.monotonic() + settings.deadline", 'until = float("inf")'),
    # Whose answer it is
    sender("takes an interim answer for the verdict", "test_an_interim_answer_is_no_verdict", "                self._session.mount(self._settings.api_url, PunctualAdapter())\n", ""),
    sender("uses a connection again that has input", "test_a_surplus_answer_is_no_verdict", "_log = logging", "import urllib3.util.connection, urllib3.connectionpool  # noqa: E401, E402\nurllib3.connectionpool.is_connection_dropped = lambda _: False\nPunctualAdapter = requests.adapters.HTTPAdapter\n_log = logging", says="look whether the connection has input"),
    # Twice
    sender("sends a lost message again", "test_a_lost_message_is_sent_once", _ASK, f"        try:\n    {_ASK}        except MailConnectionError:\n    {_ASK}", says="the message was sent again after its answer was lost"),
    sender("sends a rejected message again", "test_a_failed_message_is_sent_once", _ASK, f"        try:\n    {_ASK}        except MailRejectedError:\n    {_ASK}"),
    # Fidelity
    sender("drops cc", "test_a_field_arrives[cc]", '"cc": [str(each) for each in message.cc],', '"cc": [],', says="message.cc does not arrive as it is"),
    sender("drops bcc", "test_a_field_arrives[bcc]", '"bcc": [each.spec for each in message.bcc],', '"bcc": [],'),
    sender("shows bcc", "test_a_field_arrives[bcc]", '"cc": [str(each) for each in message.cc],', '"cc": [str(each) for each in (*message.cc, *message.bcc)],'),
    sender("sends to the first recipient", "test_a_field_arrives[two recipients]", "for each in message.to]", "for each in message.to[:1]]"),
    sender("drops names", "test_a_field_arrives[a name]", '"to": [str(each) for each', '"to": [each.spec for each'),
    sender("drops reply-to", "test_a_field_arrives[reply-to]", "for each in message.reply_to]", "for each in ()]"),
    sender("ignores the message's sender", "test_a_field_arrives[sender]", '"from": str(message.from_),', '"from": "Sender <sender@example.com>",'),
    sender("spoils what is not ASCII", "test_a_field_arrives[HTML that is not ASCII]", '"html": message.html,', '"html": message.html and message.html.encode("ascii", "replace").decode(),'),
    sender("makes up a text part", "test_a_field_arrives[HTML]", '"text": message.text,', '"text": message.text or message.html,'),
    sender("spoils attachments", "test_a_capability_is_carried_or_refused[inline_attachments]", "base64.b64encode(attachment.content)", 'base64.b64encode(attachment.content.decode("utf-8", "replace").encode())'),
    sender("drops a capability that it declares", "test_a_capability_is_carried_or_refused[tags]", '"tags": list(message.tags),', '"tags": [],', says="Capability.TAGS is declared, and does not arrive"),
    plugin("declares what it does not carry", "test_a_capability_is_carried_or_refused[send_at]", "Capability.METADATA,", "Capability.METADATA, Capability.SEND_AT,"),
    sender("changes the message", "test_the_message_is_left_alone", _ASK, '        message.headers["X-Mailer"] = "pigeon"\n' + _ASK, says="deliver() changes the message"),
    sender("writes names without quotes", "test_a_name_stays_a_name[Hopper, Grace]", '"to": [str(each) for each in message.to],', '"to": [f"{each.name} <{each.spec}>" for each in message.to],'),
    sender("lets a name add a recipient", "test_a_name_stays_a_name[eve@example.com, Grace]", '"to": [str(each) for each in message.to],', '"to": f"{message.to[0].name} <{message.to[0].spec}>".split(", "),'),
    # Receipts
    sender("makes its own Message-ID", "test_a_receipt_names_the_message", "Receipt(message.message_id,", 'Receipt("<1@example.com>",'),
    sender("forgets recipients in the receipt", "test_a_receipt_names_every_recipient", _RETURN, "accepted=tuple(each.spec for each in message.to))"),
    sender("calls itself by another name", "test_a_receipt_names_the_provider", '"pigeon-post", said', '"pigeon", said'),
    # Purity, sharing
    sender("connects when it is built", "test_building_does_no_io", "        self._pid = 0\n", "        self._pid = 0\n        self.check_connection()\n"),
    sender("connects in is_configured", "test_is_configured_does_no_io", "        return True\n", "        self.check_connection()\n        return True\n", says="checking is what check_connection() is for"),
    sender("is configured by something true", "test_is_configured_says_yes", "        return True\n", '        return "yes"\n'),
    sender("starts a thread when it is built", "test_building_starts_no_thread", "        self._pid = 0\n", "        self._pid = 0\n        threading.Thread(target=time.sleep, args=(3,), daemon=True).start()\n"),
    sender("shares its session after a fork", "test_a_forked_child_has_connections_of_its_own", " or self._pid != os.getpid()", "", says="look at os.getpid()"),
    sender("is not for threads", "test_threads_share_a_sender", _ASK, '        self.letter = to_payload(message)\n        time.sleep(0.01)\n        said = self._ask("POST", "/letters", self.letter)\n'),
    sender("makes a connection for each message", "test_a_series_keeps_its_connection", "if self._session is None or", "if True or", says="keep one open"),
    sender("closes once", "test_closing_twice_does_no_harm", "            session, self._session = self._session, None\n", "            session = self._session\n            del self._session\n"),
    sender("does not look at the connection", "test_nobody_there_is_an_error", '        self._ask("GET", "/me", None)', "        return"),
    sender("does not look at the key", "test_a_wrong_key_is_an_error", '        self._ask("GET", "/me", None)', '        try:\n            self._ask("GET", "/me", None)\n        except MailAuthError:\n            pass'),
    sender("sends a message to try the key", "test_a_probe_sends_nothing", '        self._ask("GET", "/me", None)', '        self._ask("POST", "/letters", to_payload(MailMessage("a@example.com", "Test", text="-", from_="a@example.com")))', says="probe() sends a message"),
    sender("shows the key in a step", "test_a_probe_sends_nothing", "    def close(self)", '    def probe(self, *_: object) -> object:\n        from postroom import Step\n        yield Step("key", self._settings.api_key.reveal())\n\n    def close(self)', says="a secret is in the step 'key'"),
    plugin("does not say what to set when it is probed", "test_a_probe_finds_a_wrong_key", 'code="401"', 'code="403"', says="say which variable to check"),
    # Registration
    plugin("makes up what a failure means", "test_each_rule_has_a_source", '"https://pigeons.example/keys"', '"my own experience"', says="give an address"),
    plugin("names a setting that it does not have", "test_each_rule_names_settings_that_there_are", "Check {api_key}", "Check {password}", says="the settings have no field ['password']"),
    plugin("writes a remedy with a full stop", "test_each_rule_reads_as_one_line", "Check {api_key}", "Check {api_key}.", says="without a full stop at its end"),
    plugin("imports requests with the plugin", "test_importing_the_plugin_loads_nothing_heavy", "from pigeon_post.settings import PigeonSettings\n", "import requests\nfrom pigeon_post.settings import PigeonSettings\n", says="import inside build(), not at the top of the plugin"),
    plugin("has another name than its entry point", "test_the_provider_loads", 'Provider("pigeon-post",', 'Provider("pigeon",', says="its Provider is named"),
    Mutation("shows its key", "test_what_looks_secret_is_secret", "settings.py", 'api_key: Secret = attrs.field(metadata=setting("key to the loft", secret=True))', 'api_key: str = attrs.field(metadata=setting("key to the loft"))'),
    plugin("gives a code that is no text", "test_each_rule_can_be_asked", 'code="401"', "code=401", says="cannot be asked"),
    Mutation("raises in check", "test_settings_that_load_can_be_looked_at", "settings.py", _LAST, _LAST + _LOOKS.format("check", "int(self.api_url[8:] and 1) / (self.api_url != '//x:y/')"), says="check() must yield what is wrong"),
    Mutation("raises in its doubts", "test_settings_that_load_can_be_looked_at", "settings.py", _LAST, _LAST + _LOOKS.format("doubts", "urllib.parse.urlsplit(self.api_url)"), says="doubts() must yield names and texts"),
    Mutation("ends the process in its doubts", "test_settings_that_load_can_be_looked_at", "settings.py", _LAST, _LAST + _LOOKS.format("doubts", "self.api_url.isascii() or exit(1)"), says="SystemExit"),
    Mutation("raises in its summary", "test_settings_that_load_can_be_looked_at", "settings.py", _LAST, _LAST + "\n    def summary(self):\n        return {'host': self.api_url.split('/')[2]}\n", says="summary() must return a dict"),
    Mutation("has a setting without help", "test_each_setting_has_help", "settings.py", 'setting("where the loft is")', 'setting("")'),
    Mutation("has no types", "test_the_package_is_typed", "py.typed", "", ""),
]  # fmt: skip


@pytest.fixture
def pigeon(tmp_path: Path) -> Path:
    """Return a folder with the good provider, as installed."""
    (tmp_path / "pigeon_post").mkdir()
    for name in PACKAGE:
        shutil.copy(PIGEON / name, tmp_path / "pigeon_post" / name)
    for name in ("__init__.py", "py.typed"):
        (tmp_path / "pigeon_post" / name).touch()
    shutil.copy(PIGEON / "contract.py", tmp_path / "contract.py")
    info = write_distribution(tmp_path, "pigeon-post", {"pigeon-post": "pigeon_post.plugin"})
    with (info / "METADATA").open("a", encoding="utf-8") as metadata:
        metadata.write("Requires-Dist: postroom<1,>=0.1\n")
    return tmp_path


def checked(folder: Path, *checks: str) -> str:
    """Run the contract, or some of its checks, and return what pytest says."""
    nodes = [f"contract.py::TestPigeonPost::{check}" for check in checks] or ["contract.py"]
    options = ["-q", "-p", "postroom_testing.plugin", "-p", "no:cacheprovider", "-rfEs", "--rootdir", str(folder)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *nodes],
        cwd=folder,
        # Only our own plugin, which an author has by its installation: the others take most of the time.
        env={**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "300", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout + done.stderr


def test_the_good_provider_keeps_the_contract(pigeon: Path) -> None:
    """Without a mutation every check passes, and there are about two hundred."""
    said = checked(pigeon)
    found = re.search(r"^(\d+) passed in", said.splitlines()[-1])
    assert found is not None, said
    assert int(found[1]) > 150


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_mutation_is_caught_by_the_check_that_names_it(pigeon: Path, mutation: Mutation) -> None:
    """A provider with one fault fails the check whose name fits, and pytest says which."""
    file = pigeon / "pigeon_post" / mutation.file
    source = file.read_text("utf-8")
    if mutation.old:
        assert source.count(mutation.old) >= 1, "the provider has changed: this mutation changes nothing"
        file.write_text(source.replace(mutation.old, mutation.new), "utf-8")
    else:
        file.unlink()
    said = checked(pigeon, mutation.check)
    assert f"FAILED contract.py::TestPigeonPost::{mutation.check}" in said, said
    assert mutation.says in said, said


def test_there_are_enough_mutations() -> None:
    """Each mutation has a name of its own, and most checks are named by one."""
    assert len({mutation.name for mutation in MUTATIONS}) == len(MUTATIONS) >= 25
    assert len({mutation.check.partition("[")[0] for mutation in MUTATIONS}) >= 25
