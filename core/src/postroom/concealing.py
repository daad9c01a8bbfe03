"""Texts without the secrets in them: what a server says may quote what it was sent, in whatever form it got it.

It works on what is shown to people, never on what is decoded.
"""

from collections.abc import Iterator, Mapping

from postroom.secret import Secret

_PIECE = 8  # characters of a secret that are recognised where it is cut or wrapped
_SHORTEST = 4  # characters of another form of a secret: less is in every second word
_STARS = "***"
_BASE64 = str.maketrans("+/", "-_")
_LEFT_IN_URLS = ("", "/", "!'()*", "/:@!$&'()*+,;=")  # beside letters, digits and _.-~
_HTML = {"'": ("&#x27;", "&#39;", "&apos;", "'"), '"': ("&quot;", "&#34;", '"'), "/": ("/", "&#x2F;", "&#47;")}
_JSON: tuple[Mapping[str, str], ...] = ({}, {"/": "\\/"}, {"&": "\\u0026", "<": "\\u003c", ">": "\\u003e"})


class Concealer:
    """Hides secrets in texts that are shown to people. Its repr says nothing.

    It recognises a secret as it is, in base64 wherever that began, and with the escapes of URLs, JSON and HTML; and of
    each of these forms any piece of eight characters or more, since servers cut and wrap what they quote.

    Args:
        secrets: What is hidden. Empty ones and None are left out.
    """

    __slots__ = ("_pieces", "_secrets")

    def __init__(self, *secrets: str | Secret | None) -> None:
        self._secrets = tuple(Secret(each) for each in secrets if each)
        self._pieces: dict[int, set[str]] | None = None

    def __repr__(self) -> str:
        return "<Concealer>"

    def conceal(self, text: str) -> str:
        """Return `text` with `***` in place of each secret and each long piece of one. Takes time as `text` is long."""
        if self._pieces is None:  # made for the first text: most senders never show one
            self._pieces = _pieces(self._secrets)
        for size in sorted(self._pieces, reverse=True):
            text = _starred(text, self._pieces[size], size)
        return text


def _starred(text: str, pieces: set[str], size: int) -> str:
    shown: list[str] = []
    done = 0  # up to here the text is shown, or hidden
    for at in range(len(text) - size + 1):
        if text[at : at + size] in pieces:
            if at > done or not shown:
                shown += [text[done:at], _STARS]
            done = at + size
    return "".join([*shown, text[done:]])


def _pieces(secrets: tuple[Secret, ...]) -> dict[int, set[str]]:
    """Return by length what is looked for."""
    found: dict[int, set[str]] = {}
    for secret in secrets:
        for form in {*_forms(secret.reveal())}:
            size = min(len(form), _PIECE)
            found.setdefault(size, set()).update(form[at : at + size] for at in range(len(form) - size + 1))
    return found


def _forms(secret: str) -> Iterator[str]:
    """Yield a secret in each form in which a server may quote it."""
    yield secret
    others = (*_as_printed(secret), *_base64(secret), *_escaped(secret))
    yield from (each for each in others if len(each) >= _SHORTEST)


def _as_printed(secret: str) -> Iterator[str]:
    """Yield it as it is after what cannot be printed was replaced."""
    yield "".join(char if char.isprintable() else "?" for char in secret)
    yield " ".join("".join(char if char.isprintable() else " " for char in secret).split())


def _base64(secret: str) -> Iterator[str]:
    """Yield what is the same in base64 wherever in the encoded octets it stands (RFC 4648 sections 4 and 5)."""
    import base64  # noqa: PLC0415  only a text with a server's words pays for it

    octets = secret.encode("utf-8", "replace")
    for before, mixed in enumerate((0, 2, 3)):  # characters that hold bits of what stands before it
        code = base64.b64encode(bytes(before) + octets).decode()
        whole = (before + len(octets)) * 8 // 6  # characters that hold no bits of what stands behind it
        for form in (code[mixed:whole], code[mixed:]) if len(code.rstrip("=")) > whole else (code[mixed:whole],):
            yield form
            yield form.translate(_BASE64)


def _escaped(secret: str) -> Iterator[str]:
    """Yield it as it is in a URL or a form, in JSON and in HTML, as the usual libraries write it."""
    import html  # noqa: PLC0415
    import itertools  # noqa: PLC0415
    import json  # noqa: PLC0415
    from urllib.parse import quote  # noqa: PLC0415

    for safe in _LEFT_IN_URLS:
        for form in (quote(secret, safe, errors="replace"), quote(secret, f"{safe} ", errors="replace")):
            yield from _in_both_cases(form.replace(" ", "+"), "%", 2)
    for ascii_only, table in itertools.product((True, False), _JSON):
        form = _replaced(json.dumps(secret, ensure_ascii=ascii_only)[1:-1], table)
        yield from _in_both_cases(form, "\\u", 4)
    text = html.escape(secret, quote=False)
    for escapes in itertools.product(*_HTML.values()):
        yield _replaced(text, dict(zip(_HTML, escapes, strict=True)))


def _replaced(text: str, table: Mapping[str, str]) -> str:
    for char, escape in table.items():
        text = text.replace(char, escape)
    return text


def _in_both_cases(text: str, mark: str, digits: int) -> Iterator[str]:
    """Yield it, and with the letters among the hexadecimal digits of its escapes in the other case."""
    head, *rest = text.split(mark)
    yield text
    yield mark.join([head, *(each[:digits].swapcase() + each[digits:] for each in rest)])
