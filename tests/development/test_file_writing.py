"""`file` in a folder that others reach: who may read what, and what another user can put there."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from file_pages import index, listed, mail, names, sender, written
from postroom import Attachment, MailSendError, Outcome

STEM = "20260301T123005Z-one"
SOMEBODY = 12345  # the id of a user that is not ours
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")


@pytest.fixture(autouse=True)
def open_mask() -> Iterator[None]:
    """Let this process take no right from the files that it makes."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """Return a folder in which every user may write, as in /tmp."""
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o1777)
    return folder


def refusal(folder: Path) -> str:
    """Return why a mail, and a check, cannot write there; both say the same."""
    said = []
    made = sender(folder)
    for call in (lambda: made.send(mail(attachments=[Attachment("a.txt", b"1")])), made.check_connection):
        with pytest.raises(MailSendError) as caught:
            call()
        assert caught.value.outcome is Outcome.NOT_SENT
        said.append(str(caught.value))
    assert said[0] == said[1]
    return said[0]


def test_only_this_user_reads_what_is_written(tmp_path: Path) -> None:
    """Files have mode 0600, and the folders that are made have 0700, those on the way included."""
    folder = tmp_path / "a" / "b"
    written(folder, mail(attachments=[Attachment("code.txt", b"1234")]))
    modes = {path.relative_to(tmp_path).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    assert modes == {
        **dict.fromkeys(["a", "a/b", f"a/b/{STEM}.files"], 0o700),
        **dict.fromkeys(["a/b/index.html", f"a/b/{STEM}.html", f"a/b/{STEM}.eml"], 0o600),
        f"a/b/{STEM}.files/1-code.txt": 0o600,
    }


def test_a_folder_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    """Who has made the folder has decided who sees its names."""
    (tmp_path / "mails").mkdir(mode=0o755)
    written(tmp_path / "mails", mail())
    assert stat.S_IMODE((tmp_path / "mails").stat().st_mode) == 0o755


@pytest.mark.parametrize("target", ["elsewhere", "nowhere"])
def test_a_link_in_place_of_the_folder_is_refused(tmp_path: Path, target: str) -> None:
    """Whether it leads anywhere or not, nothing is written through it, and the error says what to do."""
    (tmp_path / "elsewhere").mkdir()
    folder = tmp_path / "mails"
    folder.symlink_to(target)
    assert refusal(folder) == (
        f"file: cannot write into {str(folder)!r}: {str(folder)!r} is a symbolic link. "
        "Remove it, or set MAIL_FILE_DIR to a folder that belongs to this user"
    )
    assert names(tmp_path) == []
    assert not (tmp_path / "nowhere").exists()


def test_links_of_this_user_on_the_way_are_followed(tmp_path: Path) -> None:
    """A home directory may lead through a link."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "home").symlink_to("disk")
    written(tmp_path / "home" / "mails", mail())
    assert (tmp_path / "disk" / "mails" / "index.html").exists()


@as_root
@pytest.mark.parametrize("depth", ["mails", "app/mails", "app/x/mails"])
def test_a_folder_of_another_user_in_a_shared_one_is_refused(shared: Path, depth: str) -> None:
    """Somebody has made the foreseeable folder first, or one on the way to it, and would read the mails."""
    theirs = shared / depth.partition("/")[0]
    theirs.mkdir(mode=0o777)
    os.chown(theirs, SOMEBODY, SOMEBODY)
    assert f"{str(theirs)!r} belongs to another user (uid {SOMEBODY}), in a folder that every" in refusal(
        shared / depth
    )
    assert names(shared) == []


@as_root
def test_a_link_of_another_user_on_the_way_is_refused(shared: Path, tmp_path: Path) -> None:
    """Somebody would have the mails written to a place of his choice."""
    (tmp_path / "site").mkdir()
    (shared / "app").symlink_to(tmp_path / "site")
    os.chown(shared / "app", SOMEBODY, SOMEBODY, follow_symlinks=False)
    assert f"{str(shared / 'app')!r} belongs to another user" in refusal(shared / "app" / "mails")
    assert names(tmp_path) == []


@as_root
def test_a_link_of_this_user_into_a_folder_of_another_one_is_refused(shared: Path, tmp_path: Path) -> None:
    """The way is looked at behind the links, too."""
    (shared / "app").mkdir(mode=0o777)
    os.chown(shared / "app", SOMEBODY, SOMEBODY)
    (tmp_path / "home").symlink_to(shared / "app")
    assert f"{str(shared / 'app')!r} belongs to another user" in refusal(tmp_path / "home" / "mails")
    assert names(tmp_path) == []


@as_root
def test_a_folder_of_another_user_elsewhere_is_written(tmp_path: Path) -> None:
    """A container's root writes into the folder of the user who runs it; nobody else can have put it there."""
    (tmp_path / "mails").mkdir()
    os.chown(tmp_path / "mails", SOMEBODY, SOMEBODY)
    written(tmp_path / "mails", mail())
    assert listed(tmp_path / "mails") == [f"{STEM}.html"]


@as_root
def test_the_owner_of_the_shared_folder_is_trusted(shared: Path) -> None:
    """Whoever owns it can replace what is in it anyway, as the host of a folder that a container sees."""
    os.chown(shared, SOMEBODY, SOMEBODY)
    (shared / "mails").mkdir()
    os.chown(shared / "mails", SOMEBODY, SOMEBODY)
    written(shared / "mails", mail())
    assert listed(shared / "mails") == [f"{STEM}.html"]


def link(path: Path, precious: Path) -> None:
    """Put a symbolic link there."""
    path.symlink_to(precious)


def second_name(path: Path, precious: Path) -> None:
    """Put a hard link there."""
    path.hardlink_to(precious)


def pipe(path: Path, precious: Path) -> None:
    """Put a pipe there."""
    os.mkfifo(path)


def directory(path: Path, precious: Path) -> None:
    """Put a folder there."""
    path.mkdir()


PLANTED = [link, second_name, pipe]


@pytest.mark.parametrize("planted", [*PLANTED, directory])
def test_nothing_in_place_of_the_index_is_written_to(
    tmp_path: Path, shared: Path, planted: Callable[[Path, Path], None]
) -> None:
    """A link, a pipe or a folder is neither followed nor waited for; the error names it, and the mail is not there."""
    precious = tmp_path / "precious"
    precious.write_text("mine")
    planted(shared / "index.html", precious)
    with pytest.raises(MailSendError) as caught:
        sender(shared).send(mail())
    why = {link: "is a symbolic link", second_name: "has a second name elsewhere (a hard link)"}
    assert f"{str(shared / 'index.html')!r} {why.get(planted, 'is not a plain file')}. Remove it, " in str(caught.value)
    assert precious.read_text() == "mine"
    assert f"{STEM}.html" not in names(shared)


@as_root
def test_an_index_of_another_user_is_not_written_to(shared: Path) -> None:
    """Subjects hold login codes, and its owner could read them."""
    (shared / "index.html").touch()
    os.chown(shared / "index.html", SOMEBODY, SOMEBODY)
    with pytest.raises(MailSendError, match=r"index.html' belongs to another user \(uid 12345\)"):
        sender(shared).send(mail())
    assert (shared / "index.html").read_bytes() == b""


@pytest.mark.parametrize("planted", PLANTED)
@pytest.mark.parametrize("name", [f"{STEM}.eml", f"{STEM}.html", f"{STEM}.files/1-code.txt", ".check"])
def test_what_has_the_name_of_a_file_is_replaced(
    tmp_path: Path, shared: Path, name: str, planted: Callable[[Path, Path], None]
) -> None:
    """Nothing is written through a link or into a pipe: the name gets a file of ours."""
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (shared / name).parent.mkdir(exist_ok=True)
    planted(shared / name, precious)
    with sender(shared) as made:
        made.check_connection()
        made.send(mail(attachments=[Attachment("code.txt", b"1234")]))
    assert precious.read_text() == "mine"
    for path in (shared / f"{STEM}.eml", shared / f"{STEM}.html", shared / f"{STEM}.files" / "1-code.txt"):
        assert stat.S_ISREG(path.lstat().st_mode)
        assert path.stat().st_nlink == 1
    assert not os.path.lexists(shared / ".check")


def test_a_link_in_place_of_the_folder_of_attachments_is_refused(tmp_path: Path) -> None:
    """Files would be written, and replaced, wherever it leads."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "mails").mkdir()
    (tmp_path / "mails" / f"{STEM}.files").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(MailSendError, match=r"\.files' is a symbolic link\. Remove it"):
        sender(tmp_path / "mails").send(mail(attachments=[Attachment("a.txt", b"1")]))
    assert names(tmp_path) == []


def test_a_mail_that_could_not_be_listed_is_listed_by_the_second_attempt(tmp_path: Path) -> None:
    """What cannot be added to the index leaves no preview, so the same mail sent again counts as new."""
    made = sender(tmp_path)
    (tmp_path / "index.html").mkdir()
    with pytest.raises(MailSendError):
        made.send(mail())
    (tmp_path / "index.html").rmdir()
    made.send(mail())
    assert listed(tmp_path) == [f"{STEM}.html"]
    assert len(index(tmp_path)) == 1
