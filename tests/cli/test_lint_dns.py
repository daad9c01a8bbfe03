"""`postroom lint --dns`: what a real DNS server on loopback says about the sender's domain."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from click.testing import Result

from dns_server import DnsServer
from postroom_cli.lint import records

Run = Callable[..., Result]
Found = Callable[..., list[tuple[str, str]]]
Records = dict[str, dict[str, list[str]]]

GOOD: Records = {
    "acme.internal": {"TXT": ['"v=spf1 ip4:192.0.2.1 -all"', '"another=1"'], "MX": ["10 mx.acme.internal."]},
    "_dmarc.acme.internal": {"TXT": ['"v=DMARC1; p=reject; rua=mailto:d@acme.internal"']},
    "s1._domainkey.acme.internal": {"TXT": ['"v=DKIM1; k=rsa; p=MIGf" "MA0G"']},
    "old._domainkey.acme.internal": {"TXT": ['"v=DKIM1; p="']},
    "odd._domainkey.acme.internal": {"TXT": ['"hello"']},
    "s1._domainkey.bulk.internal": {"TXT": ['"p=MIGf"']},
    "s1._domainkey.news.acme.internal": {"TXT": ['"p=MIGf"']},
}
WITHOUT = "import sys; sys.modules['dns'] = None; from postroom_cli.main import main; main()"


def message(tmp_path: Path, sender: str = "no-reply@acme.internal", signature: str | None = None) -> Path:
    """Write a message in which nothing is wrong, and return its path."""
    lines = [
        f"From: {sender}",
        "To: grace@example.com",
        "Subject: Hello",
        "Date: Mon, 2 Mar 2026 10:00:00 +0000",
        "Message-ID: <1@acme.internal>",
        *([f"DKIM-Signature: {signature}"] if signature else []),
        "Content-Type: text/plain; charset=utf-8",
        "",
        "Hello",
        "",
    ]
    path = tmp_path / "mail.eml"
    path.write_bytes("\r\n".join(lines).encode())
    return path


def spf(record: str, **more: str) -> Records:
    """Return a change of the zone: the domain's SPF record, and those of other names."""
    return {
        "acme.internal": {**GOOD["acme.internal"], "TXT": [f'"{record}"']},
        **{f"{name}.internal": {"TXT": [f'"{text}"']} for name, text in more.items()},
    }


def dmarc(*records: str, at: str = "_dmarc.acme.internal") -> Records:
    """Return a change of the zone: the DMARC records, in place of the one of GOOD."""
    return {"_dmarc.acme.internal": {}, at: {"TXT": [f'"{record}"' for record in records]}}


@pytest.fixture
def found(run: Run) -> Found:
    """Look a message up in GOOD as it is changed, and return where which rules are broken."""

    def look_up(path: Path, change: Mapping[str, dict[str, list[str]]], *options: str) -> list[tuple[str, str]]:
        with DnsServer(GOOD | change) as server:
            result = run("lint", "--dns", "--nameserver", server.address, "--json", *options, str(path))
        findings = json.loads(result.stdout)
        assert result.exit_code == int(any(each["severity"] == "error" for each in findings))
        return [(each["path"], each["rule"]) for each in findings]

    return look_up


def test_a_good_domain_has_no_findings(found: Found, tmp_path: Path) -> None:
    """A domain with SPF, DMARC, a key and an MX is looked up without a word."""
    assert found(message(tmp_path), {}, "--dkim-selector", "s1") == []


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"acme.internal": {"MX": ["10 mx.acme.internal."]}}, "spf-missing"),
        ({"acme.internal": {"MX": ["10 mx."], "TXT": ['"v=spf1 -all"', '"v=spf1 ~all"']}}, "spf-several"),
        ({"acme.internal": {"MX": ["10 mx."], "TXT": ['"v=spf10 +all"', '"v=spf1 ~all"']}}, None),
        (spf("v=spf1 +all"), "spf-allows-all"),
        (spf("v=spf1 all"), "spf-allows-all"),
        (spf("v=spf1 ~all"), None),
        (spf("v=spf1 ip4:192.0.2.0/24 ?all"), "spf-undecided"),
        (spf("v=spf1 mx"), "spf-undecided"),
        (spf("V=SPF1 MX -ALL"), None),
        (spf("v=spf1 a mx ptr exists:a.internal a/24 a:b.internal//64 mx mx mx mx -all"), None),
        (spf("v=spf1 a mx ptr exists:a.internal a a a mx mx mx mx -all"), "spf-lookups"),
        (spf("v=spf1 a a a a a include:b.internal -all", b="v=spf1 a a a a ~all"), None),
        (spf("v=spf1 a a a a a include:b.internal -all", b="v=spf1 a a a a a ~all"), "spf-lookups"),
        (spf("v=spf1 include:acme.internal -all"), "spf-lookups"),
        (spf("v=spf1 include:b.internal -all", b="v=spf1 +all"), None),
        (spf("v=spf1 redirect=b.internal", b="v=spf1 +all"), "spf-allows-all"),
        (spf("v=spf1 redirect=b.internal", b="v=spf1 -all"), None),
        (spf("v=spf1 redirect=%{d}.internal exp=why.internal"), None),
        (spf("v=spf1 include:%{i}.internal -all"), None),
        (spf("v=spf1 include:b.internal -all"), "spf-malformed"),
        (spf("v=spf1 include: -all"), "spf-malformed"),
        (spf("v=spf1 ipv4:192.0.2.1 -all"), "spf-malformed"),
        (spf("v=spf1 ip4:192.0.2.300 -all"), "spf-malformed"),
        (spf("v=spf1 ip6:192.0.2.1 -all"), "spf-malformed"),
        (spf("v=spf1 , -all"), "spf-malformed"),
        (spf("v=spf1 ip6:2001:db8::/32 unknown=modifier -all"), None),
        (dmarc(), "dmarc-missing"),
        (dmarc("hello"), "dmarc-missing"),
        (dmarc("v=DMARC1; p=reject", "v=DMARC1; p=none"), "dmarc-malformed"),
        (dmarc("v=dmarc1; p=reject"), "dmarc-malformed"),
        (dmarc("v=DMARC1; p=block"), "dmarc-malformed"),
        (dmarc("v=DMARC1; p=none"), "dmarc-none"),
        (dmarc("v=DMARC1"), "dmarc-none"),
        (dmarc(" v = DMARC1 ;p = Quarantine;"), None),
        (dmarc("v=DMARC1; p=reject; sp=none"), None),
        ({"acme.internal": {"TXT": ['"v=spf1 -all"'], "MX": ["0 ."]}}, "null-mx"),
        ({"acme.internal": {"TXT": ['"v=spf1 -all"']}}, "no-mx"),
        ({"acme.internal": {"TXT": ['"v=spf1 -all"'], "A": ["192.0.2.1"]}}, None),
        ({"acme.internal": {"TXT": ['"v=spf1 -all"'], "AAAA": ["2001:db8::1"]}}, None),
    ],
)
def test_a_domain(found: Found, tmp_path: Path, change: Records, rule: str | None) -> None:
    """Each mistake in the records of a domain is one finding, and what only looks like one is none."""
    assert [each for _, each in found(message(tmp_path), change)] == ([rule] if rule else [])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        (dmarc("v=DMARC1; p=reject; sp=none"), [("_dmarc.acme.internal", "dmarc-none")]),
        (dmarc("v=DMARC1; p=none; sp=reject"), []),
        (dmarc("v=DMARC1; p=none", at="_dmarc.mail.acme.internal"), [("_dmarc.mail.acme.internal", "dmarc-none")]),
        (dmarc("v=DMARC1; p=none; psd=y", at="_dmarc.internal"), [("_dmarc.internal", "dmarc-none")]),
        (dmarc(), [("_dmarc.mail.acme.internal", "dmarc-missing")]),
        ({"_dmarc.internal": {"TXT": ['"v=DMARC1; p=none; psd=y"']}}, []),
        ({"_dmarc.acme.internal": {"TXT": ['"v=DMARC1; p=reject; psd=n"']}}, []),
    ],
)
def test_a_domain_below_another_has_the_policy_of_its_organization(
    found: Found, tmp_path: Path, change: Records, expected: list[tuple[str, str]]
) -> None:
    """Without a record of its own, a domain has the one of the organizational domain, found by walking up."""
    zone = {"mail.acme.internal": GOOD["acme.internal"], **change}
    assert found(message(tmp_path, "no-reply@mail.acme.internal"), zone) == expected


def test_a_long_name_is_walked_in_eight_steps(run: Run, tmp_path: Path) -> None:
    """Of a domain with many labels, the last seven are walked, so that nobody makes us ask without end."""
    domain = ".".join([*"abcdefghijkl", "acme", "internal"])
    with DnsServer(GOOD) as server:
        run("lint", "--dns", "--nameserver", server.address, str(message(tmp_path, f"a@{domain}")))
    walked = [name for name, _ in server.questions if name.startswith("_dmarc.")]
    assert walked[:2] == [f"_dmarc.{domain}", "_dmarc.h.i.j.k.l.acme.internal"]
    assert (walked[-1], len(walked)) == ("_dmarc.internal", 8)


@pytest.mark.parametrize(
    ("signature", "expected"),
    [
        ("v=1; d=acme.internal; s=s1; b=abc", []),
        ("v=1; d=Acme.Internal;\r\n\ts=s1; b=ab\r\n\tc", []),
        ("v=1; d=acme.internal; s=none", [("none._domainkey.acme.internal", "dkim-no-key")]),
        ("v=1; d=acme.internal; s=odd", [("odd._domainkey.acme.internal", "dkim-no-key")]),
        ("v=1; d=acme.internal; s=old", [("old._domainkey.acme.internal", "dkim-revoked")]),
        ("v=1; d=acme.internal", [("PATH", "dkim-malformed")]),
        ("nonsense", [("PATH", "dkim-malformed")]),
        ("v=1; d=bulk.internal; s=s1", [("PATH", "dkim-not-aligned")]),
        ("v=1; d=bulk.internal; s=s1\r\nDKIM-Signature: d=acme.internal; s=s1", []),
        ("v=1; d=news.acme.internal; s=s1", []),
        ("v=1; d=acme.internal; s=a..b", [("a..b._domainkey.acme.internal", "dns-unanswered")]),
        (f"v=1; d=acme.internal; s={'a' * 64}", [(f"{'a' * 64}._domainkey.acme.internal", "dns-unanswered")]),
    ],
)
def test_a_signature(found: Found, tmp_path: Path, signature: str, expected: list[tuple[str, str]]) -> None:
    """The key that a signature names is there and in use, and one of the signatures is the sender's own."""
    path = message(tmp_path, signature=signature)
    where = [(str(path) if name == "PATH" else name, rule) for name, rule in expected]
    assert found(path, {}, "--dkim-selector", "of-no-interest") == where


@pytest.mark.parametrize(
    ("record", "sender", "aligned"),
    [
        ("v=DMARC1; p=reject", "a@mail.acme.internal", True),
        ("v=DMARC1; p=reject; adkim=s", "a@mail.acme.internal", False),
        ("v=DMARC1; p=reject; adkim=s", "a@news.acme.internal", True),
        ("hello", "a@mail.acme.internal", False),
        ("hello", "a@acme.internal", True),
    ],
)
def test_a_signature_of_a_sister(found: Found, tmp_path: Path, record: str, sender: str, *, aligned: bool) -> None:
    """A domain of the same organization may sign, unless the policy is strict."""
    path = message(tmp_path, sender, "d=news.acme.internal; s=s1")
    rules = [rule for _, rule in found(path, dmarc(record))]
    assert ("dkim-not-aligned" in rules) is not aligned


@pytest.mark.parametrize(
    ("selector", "rules"), [("s1", []), ("old", ["dkim-revoked"]), ("none", ["dkim-no-key"]), ("s1.", None)]
)
def test_the_selector_of_a_message_without_signature(
    found: Found, tmp_path: Path, selector: str, rules: list[str] | None
) -> None:
    """`--dkim-selector` says which key the provider will sign with; what is no name is said, too."""
    assert [rule for _, rule in found(message(tmp_path), {}, "--dkim-selector", selector)] == (
        ["dns-unanswered"] if rules is None else rules
    )


def test_templates_are_sent_from_the_default_sender(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For templates, the domain of MAIL_DEFAULT_SEND_FROM is looked up, once for all of them."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.html").write_text("<p>Hello</p>")
        (tmp_path / f"{name}.txt").write_text("Hello")
    monkeypatch.setenv("MAIL_DEFAULT_SEND_FROM", "Acme <no-reply@acme.internal>")
    with DnsServer(GOOD | dmarc()) as server:
        result = run("lint", "--dns", "--nameserver", server.address, "--json", str(tmp_path))
    assert [each["rule"] for each in json.loads(result.stdout)] == ["dmarc-missing"]
    assert len(set(server.questions)) == len(server.questions)


def test_without_any_sender_nothing_is_looked_up(run: Run, tmp_path: Path) -> None:
    """Where no domain is known, that is said; an address literal is no domain."""
    (tmp_path / "a.html").write_text("<p>Hello</p>")
    path = message(tmp_path, "root@[127.0.0.1]")
    with DnsServer(GOOD) as server:
        result = run("lint", "--dns", "--nameserver", server.address, str(tmp_path / "a.html"), str(path))
    assert (result.exit_code, server.questions) == (0, [])
    assert "no domain is looked up" in result.stderr


def test_the_resolver_of_the_system_is_the_default(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `--nameserver`, the system's settings are read."""
    read: list[object] = []
    resolver = records.dns.resolver.Resolver
    monkeypatch.setattr(resolver, "read_resolv_conf", lambda _, file: read.append(file), raising=True)
    result = run("lint", "--dns", str(message(tmp_path, "root@[127.0.0.1]")))
    assert (result.exit_code, read) == (0, ["/etc/resolv.conf"])


def test_no_answer_is_a_warning(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A time-out and a server that fails are findings, and what can be looked up is looked up."""
    monkeypatch.setattr(records, "SECONDS", 0.5)
    zone = GOOD | spf("v=spf1 +all")
    path = message(tmp_path, signature="d=acme.internal; s=slow")
    with DnsServer(zone, silent=["slow._domainkey.acme.internal"], failing=["_dmarc.acme.internal"]) as server:
        result = run("lint", "--dns", "--nameserver", server.address, "--json", str(path))
    findings = {each["path"]: each for each in json.loads(result.stdout)}
    assert findings["acme.internal"]["rule"] == "spf-allows-all"
    for name, reason in (
        ("slow._domainkey.acme.internal", "no answer within 0.5 seconds"),
        ("_dmarc.acme.internal", "the server fails or refuses"),
    ):
        assert (findings[name]["rule"], findings[name]["severity"]) == ("dns-unanswered", "warning")
        assert findings[name]["what"] == f"it could not be looked up: {reason}"


def test_alignment_that_cannot_be_looked_up_is_a_warning(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the policy is not known, neither is the alignment."""
    monkeypatch.setattr(records, "SECONDS", 0.5)
    path = message(tmp_path, signature="d=bulk.internal; s=s1")
    with DnsServer(GOOD, silent=["_dmarc.acme.internal"]) as server:
        result = run("lint", "--dns", "--nameserver", server.address, "--json", str(path))
    assert [each["rule"] for each in json.loads(result.stdout)] == ["dns-unanswered"]


def test_a_nameserver_that_is_not_there(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody listens, every look-up is unanswered, without a trace."""
    monkeypatch.setattr(records, "SECONDS", 0.5)
    with DnsServer(GOOD) as server:
        gone = server.address
    result = run("lint", "--dns", "--nameserver", gone, "--json", str(message(tmp_path)))
    assert result.exit_code == 0
    assert {each["rule"] for each in json.loads(result.stdout)} == {"dns-unanswered"}


def test_a_hostile_record_does_not_reach_the_terminal(run: Run, tmp_path: Path) -> None:
    """Control characters of a record are not printed."""
    zone = GOOD | dmarc("v=DMARC1; p=\\027[31mred\\010line")
    with DnsServer(zone) as server:
        result = run("lint", "--dns", "--nameserver", server.address, str(message(tmp_path)))
    assert "dmarc-malformed" in result.stdout
    assert all(char.isprintable() or char == "\n" for char in result.output)


@pytest.mark.parametrize("nameserver", ["", ":", "127.0.0.1:dns", "127.0.0.1:70000", "[::1", "::1::2"])
def test_what_is_no_nameserver(run: Run, tmp_path: Path, nameserver: str) -> None:
    """An address that cannot be asked is exit 2, and one line."""
    result = run("lint", "--dns", "--nameserver", nameserver, str(message(tmp_path)))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1].startswith("error: --nameserver takes HOST or HOST:PORT")


@pytest.mark.parametrize(
    ("nameserver", "expected"),
    [
        ("127.0.0.1", ("127.0.0.1", 53)),
        ("127.0.0.1:5353", ("127.0.0.1", 5353)),
        ("::1", ("::1", 53)),
        ("[::1]", ("::1", 53)),
        ("[::1]:5353", ("::1", 5353)),
    ],
)
def test_a_nameserver_is_an_address_with_or_without_a_port(nameserver: str, expected: tuple[str, int]) -> None:
    """IPv6 stands alone, or in brackets with a port."""
    assert records._address(nameserver) == expected


def test_a_system_without_resolver(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system names no server, the message says what to do."""

    def refuse(*_: object, **__: object) -> None:
        raise records.dns.resolver.NoResolverConfiguration

    monkeypatch.setattr(records.dns.resolver.Resolver, "read_resolv_conf", refuse)
    result = run("lint", "--dns", str(message(tmp_path)))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "name one with --nameserver" in result.stderr


@pytest.mark.parametrize("option", ["--dkim-selector", "--nameserver"])
def test_options_that_need_dns(run: Run, tmp_path: Path, option: str) -> None:
    """An option that would change nothing is wrong usage."""
    result = run("lint", option, "s1", str(message(tmp_path)))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--dkim-selector and --nameserver need --dns" in result.stderr


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    """Without dnspython, `--dns` is one line and exit 2; the rest of the command works."""
    path = message(tmp_path)
    command = [sys.executable, "-c", WITHOUT, "lint", str(path)]
    plain = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (plain.returncode, plain.stdout) == (0, "1 file read, nothing wrong\n")
    asked = subprocess.run([*command, "--dns"], capture_output=True, text=True, timeout=60, check=False)
    assert (asked.returncode, asked.stdout) == (2, "")
    assert asked.stderr.splitlines()[-1] == (
        "error: looking into the DNS needs dnspython: pip install 'postroom-cli[dns]'"
    )
