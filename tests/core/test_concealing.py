"""Secrets are taken out of what is shown, in whatever form a server quotes them."""

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom import Concealer, Secret

SECRET = "Xq8~not/a-real+secret=R7'v\"k&Pz<2>Lw ünd"


def _replaced(text: str, escapes: dict[str, str]) -> str:
    for char, escape in escapes.items():
        text = text.replace(char, escape)
    return text


FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "base64 of PLAIN": lambda secret: base64.b64encode(f"\0ada\0{secret}".encode()).decode(),
    "base64 behind one octet": lambda secret: base64.b64encode(f"x{secret}tail".encode()).decode(),
    "base64 behind two octets": lambda secret: base64.b64encode(f"xx{secret}tail".encode()).decode(),
    "base64 for URLs": lambda secret: base64.urlsafe_b64encode(secret.encode()).decode(),
    "quoted": quote,
    "quoted whole": lambda secret: quote(secret, ""),
    "quoted in small letters": lambda secret: quote(secret, "").replace("%2F", "%2f").replace("%3C", "%3c"),
    "in a form": quote_plus,
    "by encodeURIComponent": lambda secret: quote(secret, "!'()*"),
    "in JSON": lambda secret: json.dumps({"said": secret}),
    "in JSON as UTF-8": lambda secret: json.dumps(secret, ensure_ascii=False),
    "in JSON by PHP": lambda secret: json.dumps(secret).replace("/", "\\/"),
    "in JSON by Go": lambda secret: _replaced(json.dumps(secret), {"&": "\\u0026", "<": "\\u003c", ">": "\\u003E"}),
    "in HTML": html.escape,
    "in HTML without quotes": lambda secret: html.escape(secret, quote=False),
    "in HTML by numbers": lambda secret: html.escape(secret).replace("&#x27;", "&#39;").replace("&quot;", "&#34;"),
    "cut": lambda secret: secret[3:20],
    "wrapped": lambda secret: f"{secret[:12]}\r\n {secret[12:]}",
}  # fmt: skip


def left_of(secret: str, shown: str) -> list[str]:
    """Return the pieces of eight characters of a secret that a text still shows."""
    return [secret[at : at + 8] for at in range(len(secret) - 7) if secret[at : at + 8] in shown]


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_hidden_in_each_form(form: str) -> None:
    """Nothing that a reader could put together stays: no eight characters of what was quoted."""
    quoted = FORMS[form](SECRET)
    shown = Concealer(Secret(SECRET)).conceal(f"535 refused: {quoted} was sent")
    assert shown.startswith("535 refused: ")
    assert shown.endswith(" was sent")
    assert "***" in shown
    core = quoted[1:-1] if form.startswith("base64") else SECRET  # the ends hold bits of what stands beside it
    assert left_of(core.strip("="), shown) == []


@given(
    secret=st.text(st.characters(codec="utf-8"), min_size=8, max_size=60),
    form=st.sampled_from([form for form in FORMS if form not in ("cut", "wrapped")]),
    before=st.text(max_size=5),
    behind=st.text(max_size=5),
)
def test_whatever_the_secret_is_no_piece_of_it_is_shown(secret: str, form: str, before: str, behind: str) -> None:
    """Blanks, quotes, line ends, any script: what is shown has none of it, and showing it twice changes nothing."""
    concealer = Concealer(secret)
    shown = concealer.conceal(f"{before}{FORMS[form](secret)}{behind}")
    assert left_of(secret, shown) == [] or "***" in secret
    assert base64.b64encode(secret.encode()).decode() not in shown


def test_a_short_secret_is_hidden_whole() -> None:
    """A secret of few characters is recognised as a whole, so that the rest of the text stays readable."""
    concealer = Concealer("abcd", "zz")
    assert concealer.conceal("abc is not abcd, ab is neither") == "abc is not ***, ab is neither"
    assert concealer.conceal("YWJjZA== is abcd") == "*** is ***"


@pytest.mark.parametrize("text", ["", "250 2.0.0 Ok: queued as 4XyZ12345", "no such user ünd", "Xq8~not/ Xq8~no"])
def test_what_holds_no_secret_is_left_alone(text: str) -> None:
    """Fewer than eight characters of a secret say nothing."""
    assert Concealer("an other secret", SECRET[:7] + "§§§").conceal(text) == text


def test_nothing_to_hide_hides_nothing() -> None:
    """A setting that is empty or missing is no secret."""
    assert Concealer("", None, Secret("")).conceal("all of it") == "all of it"


def test_pieces_side_by_side_are_one_hole() -> None:
    """The length of what is hidden says nothing about the secret."""
    assert Concealer("0123456789abcdef").conceal("<0123456789abcdef0123456789abcdef>") == "<***>"


def test_a_concealer_shows_nothing() -> None:
    """Whoever shows local variables shows neither the secret nor a form of it."""
    concealer = Concealer(SECRET)
    concealer.conceal(SECRET)
    assert repr(concealer) == str(concealer) == "<Concealer>"
    assert not hasattr(concealer, "__dict__")


class Counted(str):
    """A text that counts how often somebody looks into it."""

    looks = 0

    def __getitem__(self, key: object) -> str:
        Counted.looks += 1
        return super().__getitem__(key)  # type: ignore[index]


@pytest.mark.parametrize("hostile", [SECRET * 200, "X" * 8000, (SECRET[:7] + " ") * 1000], ids=["whole", "one", "cut"])
def test_a_hostile_text_takes_time_as_it_is_long(hostile: str) -> None:
    """Each position of a text is looked at once for each length of secret, whatever the server has put there."""
    Counted.looks = 0
    Concealer(SECRET).conceal(Counted(hostile))
    assert Counted.looks <= 2 * len(hostile) + 1
