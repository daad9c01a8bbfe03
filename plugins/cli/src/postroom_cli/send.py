"""`postroom send`: one message from the command line, and its receipt."""

import sys
from collections.abc import Mapping
from pathlib import Path

import attrs
import click

from postroom import (
    Attachment,
    MailMessage,
    MailMessageError,
    MailRecipientsError,
    MailSendError,
    Outcome,
    ProviderRegistry,
    Receipt,
    Refusal,
)
from postroom_cli import environment, output

_body_file = click.Path(exists=True, dir_okay=False, allow_dash=True)
_attachment = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--to", multiple=True, required=True, metavar="ADDRESS", help="Recipient. Again, or with commas: more.")
@click.option("--cc", multiple=True, metavar="ADDRESS", help="Recipient of a copy.")
@click.option("--bcc", multiple=True, metavar="ADDRESS", help="Recipient whom nobody else sees.")
@click.option("--reply-to", multiple=True, metavar="ADDRESS", help="Where answers go.")
@click.option("--from", "from_", metavar="ADDRESS", help="Sender; MAIL_DEFAULT_SEND_FROM if not given.")
@click.option("--subject", required=True, metavar="TEXT", help="Subject.")
@click.option("--html", metavar="TEXT", help="Body in HTML.")
@click.option("--html-file", type=_body_file, help="File with the body in HTML; - is standard input.")
@click.option("--text", metavar="TEXT", help="Body in plain text.")
@click.option("--text-file", type=_body_file, help="File with the body in plain text; - is standard input.")
@click.option("--attach", multiple=True, type=_attachment, help="File to attach. Again: more.")
@environment.env_file_option
@click.option("--json", "as_json", is_flag=True, help="Print the receipt as JSON.")
def send(
    *,
    to: tuple[str, ...],
    cc: tuple[str, ...],
    bcc: tuple[str, ...],
    reply_to: tuple[str, ...],
    from_: str | None,
    subject: str,
    html: str | None,
    html_file: str | None,
    text: str | None,
    text_file: str | None,
    attach: tuple[Path, ...],
    env_file: Path | None,
    as_json: bool,
) -> int:
    """Send one message and print the receipt."""
    if html_file == text_file == "-":
        raise click.UsageError("--html-file and --text-file cannot both be standard input")
    message = MailMessage(
        to=to,
        subject=subject,
        html=_body("html", html, html_file),
        text=_body("text", text, text_file),
        from_=from_,
        cc=cc,
        bcc=bcc,
        reply_to=reply_to,
        attachments=[Attachment(path.name, _content(path)) for path in attach],
    )
    environ = environment.read(env_file)
    with environment.sender_for(environ, ProviderRegistry()) as sender:
        try:
            receipt = sender.deliver(message)
        except MailSendError as error:
            _print_failure(error, _message_id(message, environ), as_json=as_json)
            raise
        except KeyboardInterrupt:
            output.say("interrupted", f"the message may have been sent: look for {_message_id(message, environ)}")
            raise
    with output.reader_may_leave():
        _print(receipt, as_json=as_json)
    if receipt.outcome is Outcome.PARTIAL:
        all_of_them = len(receipt.refused) + len(receipt.accepted)
        advice = "the others have the mail, so send again to these only"
        output.say("error", f"{len(receipt.refused)} of {all_of_them} recipients were refused: {advice}")
        return 1
    return 0


def _body(option: str, text: str | None, file: str | None) -> str | None:
    if file is None:
        return text
    if text is not None:
        raise click.UsageError(f"--{option} and --{option}-file exclude each other")
    try:
        return _content(file).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise click.ClickException(f"{file} is not UTF-8") from None


def _content(file: str | Path) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise click.ClickException(f"{file} cannot be read: {error.strerror}") from error


def _message_id(message: MailMessage, environ: Mapping[str, str]) -> str | None:
    """Return what to look for in the logs of a server that may have taken the message."""
    sender = message.from_ or environ.get("MAIL_DEFAULT_SEND_FROM")
    try:
        return attrs.evolve(message, from_=sender).message_id
    except MailMessageError:
        return None


def _print(receipt: Receipt, *, as_json: bool) -> None:
    if as_json:
        output.print_json(_report(receipt.outcome, receipt.message_id, receipt.refused) | _of_receipt(receipt))
        return
    output.line("message id", receipt.message_id)
    output.line("provider", receipt.provider)
    if receipt.provider_id:
        output.line("its id", receipt.provider_id)
    for address in receipt.accepted:
        output.line("accepted", address, "green")
    _print_refused(receipt.refused)


def _print_failure(error: MailSendError, message_id: str | None, *, as_json: bool) -> None:
    refused = error.refused if isinstance(error, MailRecipientsError) else {}
    if as_json:
        output.print_json(_report(error.outcome, message_id, refused) | _of_error(error))
    else:
        _print_refused(refused)


def _print_refused(refused: Mapping[str, Refusal]) -> None:
    for address, refusal in refused.items():
        why = " ".join(str(each) for each in (refusal.code, refusal.enhanced_code, refusal.text) if each)
        output.line("refused", f"{address}: {why}", "red")


def _report(outcome: Outcome, message_id: str | None, refused: Mapping[str, Refusal]) -> dict[str, object]:
    """Return what the JSON always has; a receipt or an error fills it."""
    return {
        "outcome": outcome.value,
        "message_id": message_id,
        "provider": None,
        "provider_id": None,
        "accepted": [],
        "refused": {address: attrs.asdict(refusal) for address, refusal in refused.items()},
        "error": None,
    }


def _of_receipt(receipt: Receipt) -> dict[str, object]:
    known = {"provider": receipt.provider, "provider_id": receipt.provider_id}
    return {**known, "accepted": list(receipt.accepted)}


def _of_error(error: MailSendError) -> dict[str, object]:
    names = ("reason", "remedy", "stage", "code", "enhanced_code", "transient", "retry_after")
    return {"provider": error.provider, "error": {name: getattr(error, name) for name in names}}
