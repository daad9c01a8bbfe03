"""What a user looks up: a code, or a line of a log; which service it is about, and at which step."""

import http
import re

import attrs

from postroom import Provider, Symptom

# Neither a port (`mail.example.com:587`) nor the milliseconds of a log (`10:00:00,345`) is a code.
_CODE = re.compile(r"(?<![\w.:,])([2-5][0-9]{2})(?!\w|\.\w)")
_ENHANCED = re.compile(r"(?<![\w.])([245]\.[0-9]{1,3}\.[0-9]{1,3})(?!\w|\.\w)")
_STATUSES = frozenset(status.value for status in http.HTTPStatus)
_ONLY_HTTP = frozenset({"401", "403", "404"})  # no server sends them in SMTP
_REPLIES = frozenset({421, 450, 451, 452, 454, 455})  # rare as statuses
_SMTP = re.compile(r"smtp|:(25|465|587|2525|2465|2587)\b|\btls=(none|starttls|implicit)\b", re.IGNORECASE)

# As our errors, smtplib's and Postfix's say it.
_STAGES = (
    ("greeting", r"at the greeting|refused the connection"),
    ("ehlo", r"(at|refused) EHLO|SMTPHeloError"),
    ("starttls", r"(at|refused) STARTTLS"),
    ("tls", r"at the TLS handshake"),
    ("auth", r"(at|refused) the login|SMTPAuthenticationError|SASL authentication failed"),
    ("mail", r"(at|refused) the sender|SMTPSenderRefused|in reply to MAIL FROM"),
    ("rcpt", r"(at|refused) (a|every) recipient|SMTPRecipientsRefused|in reply to RCPT TO"),
    ("data", r"(at|refused) DATA|in reply to DATA"),
    ("final", r"refused the message|SMTPDataError|in reply to end of DATA"),
)


@attrs.frozen
class Line:
    """A text that a user looks up."""

    text: str

    @property
    def symptom(self) -> Symptom:
        """What the text says of a failure."""
        code, enhanced = _CODE.search(self.text), _ENHANCED.search(self.text)
        words = _ENHANCED.sub(" ", _CODE.sub(" ", self.text))
        return Symptom(
            text=self.text if re.search(r"[^\W0-9]{2}", words) else "",
            stage=self._stage,
            code=int(code[1]) if code else None,
            enhanced_code=enhanced[1] if enhanced else None,
        )

    def about(self, providers: list[Provider]) -> list[Provider]:
        """Return the providers that the text may be about, the likely ones first.

        Those that it names, or else, if it is of SMTP, all but those for an API by HTTP.
        """
        named = [each for each in providers if re.search(rf"(?<![\w-]){re.escape(each.name)}:\s", self.text)]
        if named:
            return named
        others = [each for each in providers if not _speaks_http(each)]
        if others and self._is_smtp:
            return others
        return sorted(providers, key=_speaks_http) if self.symptom.code in _REPLIES else providers

    @property
    def _stage(self) -> str | None:
        return next((stage for stage, words in _STAGES if re.search(words, self.text)), None)

    @property
    def _is_smtp(self) -> bool:
        symptom = self.symptom
        no_status = symptom.code is not None and symptom.code not in _STATUSES
        return bool(no_status or symptom.enhanced_code or self._stage or _SMTP.search(self.text))


def _speaks_http(provider: Provider) -> bool:
    return any(rule.code in _ONLY_HTTP for rule in provider.rules)
