"""`postroom lint`: what would make mail arrive badly, found in its files before it is sent."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

import attrs
import click

from postroom import Address, DifySource, MailMessageError, ProviderRegistry
from postroom_cli import environment, output
from postroom_cli.lint import in_message, in_template, message
from postroom_cli.lint.finding import Finding
from postroom_cli.lint.in_message import Surroundings
from postroom_cli.lint.message import Eml

_MESSAGES = {".eml"}
_TEMPLATES = {".html", ".htm"}
_EXTRA = "looking into the DNS needs dnspython: pip install 'postroom-cli[dns]'"
_COLOURS = {"error": "red", "warning": "yellow"}


@attrs.frozen
class _Read:
    """What the DNS is asked about a file that was looked at. A template has neither sender nor signatures."""

    path: Path
    sender: Address | None
    signatures: list[str]

    @classmethod
    def of(cls, path: Path, eml: Eml | None) -> Self:
        if eml is None:
            return cls(path, None, [])
        return cls(path, in_message.sender(eml), eml.values("dkim-signature"))


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(exists=True, path_type=Path))
@click.option("--provider", "name", metavar="NAME", help="Provider that will send it; MAIL_TYPE if not given.")
@click.option("--dns", "ask", is_flag=True, help="Look up SPF, DMARC, DKIM and MX of the sender's domain.")
@click.option("--dkim-selector", metavar="NAME", help="DKIM selector to look up for messages without a signature.")
@click.option("--nameserver", metavar="HOST[:PORT]", help="DNS server to ask; the system's if not given.")
@environment.env_file_option
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
def lint(
    *,
    paths: tuple[Path, ...],
    name: str | None,
    ask: bool,
    dkim_selector: str | None,
    nameserver: str | None,
    env_file: Path | None,
    as_json: bool,
) -> int:
    """Look for what makes messages (.eml) and templates (.html) arrive badly.

    A folder is searched with all that is in it. Nothing is sent. Exit codes: 0 nothing wrong, or warnings only;
    1 errors; 2 wrong usage.
    """
    if not ask and (dkim_selector or nameserver):
        raise click.UsageError("--dkim-selector and --nameserver need --dns")
    environ = environment.read(env_file)
    around = _surroundings(environ, name)
    findings: list[Finding] = []
    read: list[_Read] = []
    for path in _files(paths):
        data = _content(path)
        eml = message.read(data) if _kind(path) in _MESSAGES else None
        found = in_template.template(path, data) if eml is None else in_message.check(path, data, eml, around)
        findings += found
        read.append(_Read.of(path, eml))
    if around.provider is None:
        output.say("note", "MAIL_TYPE is not set, so the rules of a provider are left out: give one with --provider")
    if ask:
        findings += _dns(read, around, dkim_selector, nameserver)
    with output.reader_may_leave():
        _print(findings, len(read), as_json=as_json)
    return int(any(each.severity == "error" for each in findings))


def _surroundings(environ: Mapping[str, str], name: str | None) -> Surroundings:
    provider = DifySource({"MAIL_TYPE": name}, environ).provider(ProviderRegistry())
    prefix = "SMTP_" if provider is None else provider.env_prefix
    default_from = environ.get("MAIL_DEFAULT_SEND_FROM", "").strip()
    try:
        sender = Address.parse(default_from) if default_from else None
    except MailMessageError as error:
        raise click.ClickException(f"MAIL_DEFAULT_SEND_FROM cannot be a sender: {error}") from error
    try:
        login = Address.parse(environ.get(f"{prefix}USERNAME", ""))
    except MailMessageError:  # a login need not be an address
        login = None
    return Surroundings(provider=provider, default_from=sender, login=login)


def _files(paths: tuple[Path, ...]) -> list[Path]:
    """Return the files to look at, each once: those that are named, and those in the folders, sorted."""
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            inside = sorted(each for each in _walk(path) if _kind(each) in _MESSAGES | _TEMPLATES and each.is_file())
            if not inside:
                raise click.ClickException(f"{path} holds no .eml, .html or .htm file")
            found.update(dict.fromkeys(inside))
        elif path.is_file() and _kind(path) in _MESSAGES | _TEMPLATES:
            found[path] = None
        else:
            raise click.ClickException(f"{path} is neither a folder nor an .eml, .html or .htm file")
    return list(found)


def _walk(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise click.ClickException(f"{error.filename} cannot be read: {error.strerror}") from error

    for root, _, names in os.walk(folder, onerror=refuse):
        yield from (Path(root, name) for name in names)


def _kind(path: Path) -> str:
    return path.suffix.lower()


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise click.ClickException(f"{path} cannot be read: {error.strerror}") from error


def _dns(read: list[_Read], around: Surroundings, selector: str | None, nameserver: str | None) -> Iterator[Finding]:
    """Yield what is wrong in the DNS, once for each domain, key and message."""
    try:
        from postroom_cli.lint import records  # noqa: PLC0415  an extra; without it the rest works
    except ModuleNotFoundError as error:
        raise click.ClickException(_EXTRA) from error
    asked = records.Records(nameserver)
    found: dict[Finding, None] = {}
    seen: set[str] = set()
    for each in read:
        author = each.sender or around.default_from
        if author is None or author.domain.startswith("["):
            continue
        if author.domain not in seen:
            found.update(dict.fromkeys(records.check(author.domain, asked)))
            seen.add(author.domain)
        keys = records.check_keys(str(each.path), author.domain, each.signatures, selector, asked)
        found.update(dict.fromkeys(keys))
    if not seen:
        output.say("note", "no domain is looked up: no message has a sender, and MAIL_DEFAULT_SEND_FROM is not set")
    yield from found


def _print(findings: list[Finding], files: int, *, as_json: bool) -> None:
    if as_json:
        output.print_json([attrs.asdict(each) for each in findings])
        return
    for each in findings:
        severity = click.style(each.severity, fg=_COLOURS[each.severity], bold=True)
        click.echo(f"{output.one_line(each.path)}: {severity} {each.rule}: {each.what}")
        click.echo(f"    {each.remedy} ({output.one_line(each.source)})")
    read = _count(files, "file")
    if not findings:
        click.echo(f"{read} read, nothing wrong")
        return
    said = Counter(each.severity for each in findings)
    click.echo(f"{read} read: {_count(said['error'], 'error')}, {_count(said['warning'], 'warning')}")


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
