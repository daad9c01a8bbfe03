"""`postroom new-provider`: a distribution of one's own, whole, and kept to the contract before a line is changed.

Its files are the templates beside this module: a name ends in `.tmpl`, `PACKAGE`, `NAME` and `dot-` stand in it for
what a file is called, and the text is that of `string.Template`.
"""

import datetime
import importlib.metadata
import importlib.util
import re
import shlex
import string
from collections.abc import Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath

import click

from postroom import ProviderRegistry
from postroom_cli import output

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
# Characters. With more, some lines of the templates would be wider than 120 columns.
_LONGEST_NAME = 30
_LONGEST_WORDS = 40
_OURS = frozenset(
    {
        "cli",
        "console",
        "file",
        "flask",
        "http",
        "memory",
        "resend",
        "sendgrid",
        "smtp",
        "smtp-basic",
        "smtp-oauth2",
        "testing",
    }
)
_TAKEN = {
    **dict.fromkeys(_OURS, "is a distribution of postroom itself"),
    "contract": "is the name of a test that is written, too",
    "mail": "would have variables that begin with MAIL_, as those of postroom itself do",
}


def _checked_name(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    """Return the name of a provider, without the `postroom-` that may stand in front."""
    name = value.removeprefix("postroom-")
    if name in _TAKEN:
        raise click.BadParameter(f"{name!r} {_TAKEN[name]}: take another name")
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        rule = f"small letters, digits and single hyphens, a letter first, at most {_LONGEST_NAME} characters"
        raise click.BadParameter(f"{output.one_line(name)!r} is not {rule}")
    return name


def _checked_words(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """Return what may stand in a string of Python and of TOML, and in a docstring."""
    if value is None:
        return None
    if not value or value != value.strip() or not value.isprintable() or {'"', "\\"} & set(value):
        raise click.BadParameter("write one line, without quotation marks, backslashes or blanks around it")
    if len(value) > _LONGEST_WORDS:
        raise click.BadParameter(f"write at most {_LONGEST_WORDS} characters")
    return value


@click.command("new-provider")
@click.argument("name", callback=_checked_name)
@click.option("--title", callback=_checked_words, metavar="TEXT", help='Name that people know, such as "Mail Bird".')
@click.option("--author", callback=_checked_words, metavar="TEXT", help="Who holds the copyright.")
@click.option("--smtp", is_flag=True, help="The service is used by SMTP; else by an HTTP API.")
@click.option(
    "--into",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=".",
    help="Folder to write into; else the current one.",
)
def new_provider(*, name: str, title: str | None, author: str | None, smtp: bool, into: Path) -> None:
    """Write the distribution postroom-NAME, for a provider of your own."""
    distribution = f"postroom-{name}"
    _refuse_installed(name, distribution)
    marks = _marks(name, title or name.replace("-", " ").title(), author or f"the authors of {distribution}", smtp)
    folder = into / distribution
    try:
        folder.mkdir()
        written = [*_write(folder, marks, "common"), *_write(folder, marks, "smtp" if smtp else "http")]
    except FileExistsError:
        raise click.ClickException(f"{folder} exists: take another name, or another folder by --into") from None
    except OSError as error:
        raise click.ClickException(f"{folder} cannot be written: {error.strerror}") from error
    for path in sorted(written):
        output.line("written", path, "green")
    output.line("next", f"cd {shlex.quote(str(folder))}")
    output.line("", "pip install --editable . --group dev")
    output.line("", "pytest")


def _refuse_installed(name: str, distribution: str) -> None:
    """Refuse a name that is taken here: of two distributions, modules or providers of one name, one hides the other."""
    module = _module(name)
    other = ProviderRegistry().registration(name)
    try:
        said = f"{distribution} {importlib.metadata.version(distribution)} is installed already"
    except importlib.metadata.PackageNotFoundError:
        if other is not None:
            said = f"{other.distribution} has a provider {name!r} already"
        elif importlib.util.find_spec(module) is not None:
            said = f"a module {module} is installed already"
        else:
            return
    raise click.ClickException(f"{said}: take another name")


def _module(name: str) -> str:
    return f"postroom_{name.replace('-', '_')}"


def _marks(name: str, title: str, author: str, smtp: bool) -> Mapping[str, str]:
    """Return what the templates' marks stand for."""
    prefix = name.upper().replace("-", "_") + "_"
    # What there is of postroom here is what the contract is checked with.
    major, minor, *_ = importlib.metadata.version("postroom").split(".")
    return {
        "name": name,
        "module": name.replace("-", "_"),
        "package": _module(name),
        "distribution": f"postroom-{name}",
        "class_name": "".join(word.capitalize() for word in name.split("-")),
        "prefix": prefix,
        "variables": f"{prefix}USERNAME=… {prefix}PASSWORD=…" if smtp else f"{prefix}API_KEY=…",
        "title": title,
        "author": author,
        "year": f"{datetime.datetime.now(datetime.UTC).year}",
        "base": "postroom-smtp" if smtp else "postroom-http",
        "versions": f">={major}.{minor},<{int(major) + 1}",
    }


def _write(folder: Path, marks: Mapping[str, str], variant: str) -> Iterator[Path]:
    """Write the files of a variant, and yield their paths."""
    for place, template in _templates(resources.files("postroom_cli") / "templates" / variant):
        renamed = str(place.with_suffix("")).replace("dot-", ".")
        path = folder / renamed.replace("PACKAGE", marks["package"]).replace("NAME", marks["module"])
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(string.Template(template.read_text(encoding="utf-8")).substitute(marks))
        yield path


def _templates(folder: Traversable, *place: str) -> Iterator[tuple[PurePosixPath, Traversable]]:
    """Yield each template below a folder, and its place there."""
    for each in folder.iterdir():
        if each.is_dir():
            yield from _templates(each, *place, each.name)
        else:
            yield PurePosixPath(*place, each.name), each
