"""The connections of a sender: few, kept for the next message, replaced when they are dead, and never shared."""

import json
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from postroom import (
    Attachment,
    MailAuthError,
    MailConnectionError,
    MailMessage,
    MailSendError,
    MailTimeoutError,
    Outcome,
    Receipt,
)
from postroom_smtp import microsoft
from postroom_smtp.connection import Deadline
from postroom_smtp.sender import SmtpSender
from postroom_smtp.session import Session
from postroom_smtp.settings import SmtpSettings
from postroom_testing import Certificates
from postroom_testing.smtp import Action, Close, Reset, Silence, SmtpServer
from smtp_checks import message, sender
from smtp_servers import RealServer

Start = Callable[..., SmtpServer]

CHUNKING = ("PIPELINING", "CHUNKING")
EXTENSIONS = [(), ("PIPELINING",), CHUNKING]
KINDS = ["plain", "PIPELINING", "CHUNKING"]
OPEN = ("01", "02", "08")  # established, connecting, closed by the other side only; as in the kernel's tcp_states.h
PATIENCE = 20


def open_sockets(port: int) -> int:
    """Return how many sockets of this machine are connected to `port`, and not closed by their owner."""
    lines = [line.split() for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]]
    return sum(line[2].endswith(f":{port:04X}") and line[3] in OPEN for line in lines)


class Watch:
    """A login that notes how many connections to `port` are open at a time; more than `limit` it looks at twice."""

    def __init__(self, port: int, limit: int) -> None:
        self.port = port
        self.limit = limit
        self.most = 0
        self.opened = 0
        self._lock = threading.Lock()

    def __call__(self, session: Session) -> None:
        with self._lock:
            self.opened += 1
            # The kernel's list is no snapshot: a connection that is replaced meanwhile may be in it twice. While we
            # have the lock, nobody else gets further than here, so that it comes to rest.
            found = open_sockets(self.port)
            for _ in range(50):
                if found <= self.limit:
                    break
                found = open_sockets(self.port)
            self.most = max(self.most, found)


def transport(
    server: SmtpServer | RealServer, login: Callable[[Session], None] | None = None, **more: object
) -> SmtpSender:
    """Return the transport alone."""
    return SmtpSender(SmtpSettings(**server.settings(**more)), "smtp", login)  # type: ignore[arg-type]


def run(script: str, *arguments: object, options: tuple[str, ...] = ("-W", "error")) -> str:
    """Run `script` in a Python of its own, which must end well and write nothing to stderr; return its output."""
    done = subprocess.run(
        [sys.executable, "-X", "dev", *options, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


# How many, and which


@pytest.mark.parametrize("extensions", EXTENSIONS, ids=KINDS)
def test_messages_one_after_the_other_share_a_connection(smtp_server: Start, extensions: tuple[str, ...]) -> None:
    """One greeting, one EHLO, and as many messages as there are."""
    server = smtp_server(extensions=extensions)
    with sender(server.settings()) as made:
        receipts = [made.deliver(message()) for _ in range(5)]
    server.wait()
    assert server.connections == server.verbs.count("EHLO") == server.verbs.count("QUIT") == 1
    assert len(server.bodies) == 5
    assert [receipt.attempts for receipt in receipts] == [1] * 5


@pytest.mark.skipif(not Path("/proc/self/net/tcp").exists(), reason="needs Linux to count sockets")
@pytest.mark.parametrize("more", [{}, {"pool_max_messages": 3}, {"pool_idle": 0.001}, {"pool_idle": 0}])
def test_no_more_connections_are_open_than_the_size_says(smtp_server: Start, more: dict[str, object]) -> None:
    """Twelve threads, messages and tests of the connection between them: used and kept ones together are three."""
    server = smtp_server(extensions=CHUNKING)
    watch = Watch(server.port, 3)
    made = transport(server, watch, pool_size=3, **more)

    def work(number: int) -> None:
        if number % 7 == 0:
            made.check_connection()
        else:
            made.deliver(message())

    with ThreadPoolExecutor(12) as threads:
        list(threads.map(work, range(140)))
    made.close()
    assert len(server.wait().bodies) == 120
    assert 1 <= watch.most <= 3


def test_the_connection_that_was_used_last_is_used_first(smtp_server: Start) -> None:
    """So that the others grow old, and the one in use stays fresh."""
    order: list[Session] = []
    server = smtp_server()
    made = transport(server, order.append, pool_size=3)
    pool = made._pool
    taken = [pool.take(Deadline(10)) for _ in range(3)]
    for session in (taken[1], taken[0], taken[2]):
        pool.give(session)
    assert [pool.take(Deadline(10)) for _ in range(3)] == [taken[2], taken[0], taken[1]]
    for session in taken:
        pool.drop(session)
    assert order == taken


def test_a_connection_that_is_too_old_is_not_used(smtp_server: Start) -> None:
    """After longer than the idle time there is a new one."""
    server = smtp_server()
    with sender(server.settings(pool_idle=0.05)) as made:
        made.deliver(message())
        threading.Event().wait(0.1)
        assert made.deliver(message()).attempts == 1
    assert server.wait().connections == 2


@pytest.mark.skipif(not Path("/proc/self/net/tcp").exists(), reason="needs Linux to count sockets")
def test_old_connections_are_closed_although_a_younger_one_is_in_use(smtp_server: Start) -> None:
    """One thread that goes on sending does not keep alive what a burst has left."""
    server = smtp_server()
    made = transport(server, pool_size=3, pool_idle=0.2)
    pool = made._pool
    for session in [pool.take(Deadline(10)) for _ in range(3)]:
        pool.give(session)
    for _ in range(3):
        threading.Event().wait(0.1)
        made.deliver(message())
    assert open_sockets(server.port) == 1
    made.close()


def test_no_idle_time_keeps_no_connection(smtp_server: Start) -> None:
    """Each message has its own, and ends it with QUIT."""
    server = smtp_server()
    with sender(server.settings(pool_idle=0)) as made:
        made.deliver(message())
        made.deliver(message())
        server.wait()  # so nothing is open here
    assert server.connections == server.verbs.count("QUIT") == 2


@pytest.mark.parametrize("many", [False, True], ids=["send", "deliver_many"])
@pytest.mark.parametrize("extensions", EXTENSIONS, ids=KINDS)
def test_a_connection_carries_only_so_many_messages(
    smtp_server: Start, extensions: tuple[str, ...], many: bool
) -> None:
    """Seven messages at two a connection need four of them."""
    server = smtp_server(extensions=extensions)
    messages = [message(subject=f"{number}") for number in range(7)]
    with sender(server.settings(pool_max_messages=2)) as made:
        results = list(made.deliver_many(messages)) if many else [made.deliver(each) for each in messages]
    assert all(isinstance(result, Receipt) and result.attempts == 1 for result in results)
    server.wait()
    assert (server.connections, len(server.bodies), server.verbs.count("QUIT")) == (4, 7, 4)


# A kept connection that is no longer good

UNASKED = {
    "closed": Close(),
    "421 and closed": (b"421 4.4.2 idle for too long\r\n", Close()),
    "421": b"421 4.4.2 idle for too long\r\n",
    "451": b"451 4.4.2 timeout\r\n",
    "250": b"250 ok\r\n",
    "no SMTP": b"so long\r\n",
    "half a line": b"42",
    "reset": Reset(),
}


@pytest.mark.parametrize("extensions", EXTENSIONS, ids=KINDS)
@pytest.mark.parametrize("unasked", UNASKED)
def test_a_kept_connection_on_which_the_server_spoke_or_hung_up_is_replaced(
    smtp_server: Start, unasked: str, extensions: tuple[str, ...]
) -> None:
    """It is seen before anything is written, so it costs no attempt."""
    moment = "BDAT" if extensions == CHUNKING else "."
    action = UNASKED[unasked]
    steps = action if isinstance(action, tuple) else (action,)
    server = smtp_server({moment: [(b"250 taken\r\n", *steps)]}, extensions=extensions)
    with sender(server.settings()) as made:
        if (unasked, extensions) == ("250", CHUNKING):  # which of two is the verdict, nobody can tell
            with pytest.raises(MailSendError, match="look for"):
                made.deliver(message())
        else:
            made.deliver(message())
        threading.Event().wait(0.05)  # until it has come
        receipt = made.deliver(message())
    assert (receipt.attempts, receipt.outcome) == (1, Outcome.ACCEPTED)
    assert server.wait().connections == 2
    assert len(server.bodies) == 2


# A failure, and the second attempt

PLAIN = ["MAIL", "RCPT", "DATA", "body"]
FAULTS: dict[str, Action] = {
    "close": Close(),
    "reset": Reset(),
    "421": (b"421 4.3.2 closing\r\n", Close()),
    "no SMTP": (b"what\r\n", Close()),
}


FILE = Attachment("film.bin", bytes(8_000_000), "application/octet-stream")


def big(moment: str, **more: object) -> MailMessage:
    """Return a message that has not left when its first octets arrive, where that matters."""
    return message(attachments=[FILE] if moment == "body" else [], **more)


def nth(action: Action, number: int, good: bytes) -> list[Action]:
    """Return a script for a moment that goes well `number` times first."""
    return [*[good] * number, action]


GOOD = {"MAIL": b"250 ok\r\n", "RCPT": b"250 ok\r\n", "DATA": b"354 go\r\n", "body": b""}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("moment", PLAIN)
@pytest.mark.parametrize("extensions", EXTENSIONS[:2], ids=KINDS[:2])
def test_a_message_that_has_not_left_on_a_kept_connection_is_offered_once_more(
    smtp_server: Start, extensions: tuple[str, ...], moment: str, fault: str
) -> None:
    """Whatever fails before its end, the receipt says two attempts, and the server has it once."""
    second = big(moment, subject="second")
    server = smtp_server({moment: nth(FAULTS[fault], 1, GOOD[moment])}, extensions=extensions)
    with sender(server.settings(timeout=10)) as made:
        assert made.deliver(message()).attempts == 1
        receipt = made.deliver(second)
    assert receipt.attempts == 2
    assert server.wait().connections == 2
    assert sum(b"Subject: second" in body for body in server.bodies) == 1


@pytest.mark.parametrize("moment", PLAIN)
@pytest.mark.parametrize("extensions", EXTENSIONS[:2], ids=KINDS[:2])
def test_a_second_failure_is_final(smtp_server: Start, extensions: tuple[str, ...], moment: str) -> None:
    """There is no third attempt."""
    server = smtp_server({moment: nth(Close(), 1, GOOD[moment]) + [Close()] * 5}, extensions=extensions)
    with sender(server.settings(timeout=10)) as made:
        made.deliver(message())
        with pytest.raises(MailSendError) as caught:
            made.deliver(big(moment))
    assert caught.value.outcome is Outcome.NOT_SENT
    assert server.wait().connections == 2


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("moment", PLAIN)
@pytest.mark.parametrize("extensions", EXTENSIONS[:2], ids=KINDS[:2])
def test_a_failure_on_a_new_connection_is_not_repeated(
    smtp_server: Start, extensions: tuple[str, ...], moment: str, fault: str
) -> None:
    """Such a server fails by its own fault, not because the connection is old; and the turn is given back."""
    server = smtp_server({moment: [FAULTS[fault]]}, extensions=extensions)
    with sender(server.settings(timeout=10, pool_size=1)) as made:
        with pytest.raises(MailSendError) as caught:
            made.deliver(big(moment))
        assert caught.value.outcome is Outcome.NOT_SENT
        assert made.deliver(message()).attempts == 1
    assert server.wait().connections == 2


@pytest.mark.parametrize("action", [Close(), Reset(), (b"250 2.0", Close()), (b"what\r\n", Close())])
@pytest.mark.parametrize("extensions", EXTENSIONS, ids=KINDS)
def test_a_message_that_has_left_is_never_offered_again(
    smtp_server: Start, extensions: tuple[str, ...], action: Action
) -> None:
    """Nobody knows then whether the server has it."""
    moment = "BDAT" if extensions == CHUNKING else "."
    server = smtp_server({moment: nth(action, 1, b"250 taken\r\n")}, extensions=extensions)
    with sender(server.settings(timeout=10, pool_size=1)) as made:
        made.deliver(message())
        with pytest.raises(MailSendError) as caught:
            made.deliver(message(subject="second"))
        assert caught.value.outcome is Outcome.UNKNOWN
        assert server.connections == 1
        assert made.deliver(message()).attempts == 1
    assert server.wait().connections == 2
    assert sum(b"Subject: second" in body for body in server.bodies) == 1


def test_the_second_attempt_has_a_new_connection(smtp_server: Start) -> None:
    """Not another kept one, which may be as dead as the first."""
    server = smtp_server({"MAIL": [Close()]})
    made = transport(server)
    for session in [made._pool.take(Deadline(10)) for _ in range(3)]:
        made._pool.give(session)
    assert made.deliver(message()).attempts == 2
    made.close()
    assert server.wait().connections == 4


def test_testing_the_connection_opens_one(smtp_server: Start) -> None:
    """A kept one proves nothing about the next; the new one is kept in its place."""
    server = smtp_server()
    with sender(server.settings()) as made:
        made.deliver(message())
        made.check_connection()
        assert server.connections == 2
        made.deliver(message())
    assert server.wait().connections == 2


def test_a_connection_after_a_refusal_is_used_again(smtp_server: Start) -> None:
    """A message that the server does not want says nothing about the connection."""
    server = smtp_server({"RCPT": [b"550 5.1.1 nobody\r\n"]}, extensions=["PIPELINING"])
    with sender(server.settings()) as made:
        with pytest.raises(MailSendError):
            made.deliver(message())
        assert made.deliver(message()).attempts == 1
    assert server.wait().connections == 1


# Turns


def test_a_turn_that_does_not_come_in_time_is_an_error(smtp_server: Start) -> None:
    """It names the setting that decides, and the message is not sent."""
    server = smtp_server()
    made = transport(server, pool_size=1, deadline=0.2)
    held = made._pool.take(Deadline(10))
    with pytest.raises(MailTimeoutError) as caught:
        made.deliver(message())
    assert str(caught.value) == (f"none of 1 connections to 127.0.0.1:{server.port} became free in time")
    assert (caught.value.outcome, caught.value.transient, caught.value.stage) == (Outcome.NOT_SENT, True, "connect")
    made._pool.give(held)
    assert made.deliver(message()).attempts == 1
    made.close()


def test_refused_connections_give_their_turns_back() -> None:
    """More failures than connections, and the next message gets a turn."""
    with SmtpServer() as server:
        pass
    made = transport(server, pool_size=2, deadline=1)
    for _ in range(3):
        with pytest.raises(MailConnectionError):
            made.deliver(message())


def test_refused_logins_give_their_turns_back(real_server: Callable[..., RealServer]) -> None:
    """The same for a login: the last one succeeds."""
    server = real_server(login=("grace", "right"))
    more = {"username": "grace", "password": "wrong", "pool_size": 2, "deadline": 5}
    with sender(server.settings(**more)) as made:
        for _ in range(3):
            with pytest.raises(MailAuthError):
                made.deliver(message())
        server.login = ("grace", "wrong")
        assert made.deliver(message()).attempts == 1


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, RuntimeError])
def test_an_exception_from_outside_gives_the_turn_back(smtp_server: Start, kind: type[BaseException]) -> None:
    """An interrupt in the middle of a login, as a key or a greenlet's time-out raises it, leaves no turn taken."""
    failing = [True]

    def login(session: Session) -> None:
        if failing[0]:
            raise kind

    server = smtp_server()
    made = transport(server, login, pool_size=1, deadline=1)
    for _ in range(2):
        with pytest.raises(kind):
            made.deliver(message())
    failing[0] = False
    assert made.deliver(message()).attempts == 1
    made.close()


INTERRUPTED = """
import os, signal, sys, threading
from postroom_smtp.sender import SmtpSender
from postroom_smtp.settings import SmtpSettings
from postroom import MailMessage
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs inherit that it is ignored
mail = MailMessage("ada@example.com", "Hello", "<p>x</p>", "grace@example.com")
made = SmtpSender(SmtpSettings(server="127.0.0.1", port=int(sys.argv[1]), pool_size=1, deadline=10), "smtp")
threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    made.deliver(mail)
except KeyboardInterrupt:
    print("interrupted")
print(made.deliver(mail).attempts)
made.close()
"""


def test_an_interrupt_while_waiting_for_a_reply_gives_the_turn_back(smtp_server: Start) -> None:
    """The connection, in the middle of a message, is dropped, and the next message has a new one."""
    server = smtp_server({"RCPT": [Silence()]})
    assert run(INTERRUPTED, server.port) == "interrupted\n1\n"
    assert server.wait().connections == 2


# The end


def test_close_says_good_bye_and_may_be_repeated(smtp_server: Start) -> None:
    """A later message opens a new connection."""
    server = smtp_server()
    made = sender(server.settings())
    made.deliver(message())
    made.close()
    made.close()
    assert server.wait().verbs.count("QUIT") == 1
    made.deliver(message())
    made.close()
    assert server.wait().verbs.count("QUIT") == server.connections == 2


def test_close_leaves_a_connection_in_use_alone(smtp_server: Start) -> None:
    """Its message goes on."""
    server = smtp_server()
    made = transport(server)
    session = made._pool.take(Deadline(10))
    made.close()
    assert not session.has_input()
    made._pool.give(session)
    made.deliver(message())
    made.close()
    assert server.wait().connections == 1


DROPPED = """
import gc, pathlib, sys
from postroom import MailMessage, MailSenderFactory
mail = MailMessage("ada@example.com", "Hello", "<p>x</p>", "grace@example.com")
made = MailSenderFactory.create_sender("smtp", {"server": "127.0.0.1", "port": int(sys.argv[1])})
made.deliver(mail)
if sys.argv[2] == "dropped":
    del made
    gc.collect()
    lines = [line.split() for line in pathlib.Path("/proc/self/net/tcp").read_text().splitlines()[1:]]
    print(sum(line[2].endswith(f":{int(sys.argv[1]):04X}") and line[3] in ("01", "08") for line in lines))
"""


@pytest.mark.parametrize("how", ["dropped", "kept until the end"])
def test_a_sender_that_nobody_closes_leaves_no_socket_and_no_warning(smtp_server: Start, how: str) -> None:
    """Neither when it is dropped, nor at the end of the process."""
    server = smtp_server()
    printed = run(DROPPED, server.port, how)
    assert printed == ("0\n" if how == "dropped" else "")
    assert server.wait().connections == 1


# Forks

FORK = """
import gc, os, sys
from postroom import MailMessage, MailSenderFactory

def mail(subject):
    return MailMessage("ada@example.com", subject, "<p>x</p>", "grace@example.com")

port, ca_file, what = int(sys.argv[1]), sys.argv[2], sys.argv[3]
more = {"ca_file": ca_file, "tls_mode": "starttls"} if ca_file else {}
made = MailSenderFactory.create_sender("smtp", {"server": "127.0.0.1", "port": port, **more})
made.deliver(mail("parent before"))
child = os.fork()
if not child:
    if what == "send":
        made.deliver(mail("child"))
        made.deliver(mail("child again"))
        made.close()
    elif what == "close":
        made.close()
    elif what == "drop":
        del made
        gc.collect()
    if what == "exit":
        sys.exit()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert made.deliver(mail("parent after")).attempts == 1
made.close()
"""


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("what", ["send", "close", "drop", "exit"])
def test_a_child_does_not_touch_its_parents_connection(
    smtp_server: Start, ca: Certificates, tls: bool, what: str
) -> None:
    """It has connections of its own, closes nothing of its parent's, and the parent goes on with its old one."""
    server = smtp_server(tls=ca.good if tls else None, extensions=CHUNKING)
    run(FORK, server.port, ca.ca_file if tls else "", what, options=("-W", "error", "-W", "ignore::DeprecationWarning"))
    server.wait()
    children = [b"child", b"child again"] if what == "send" else []
    subjects = [body.partition(b"Subject: ")[2].partition(b"\r\n")[0] for body in server.bodies]
    assert sorted(subjects) == sorted([b"parent before", *children, b"parent after"])
    assert server.connections == server.verbs.count("QUIT") == (2 if children else 1)
    if tls:
        assert server.tls_failures == []


FORK_IN_THE_LOOP = """
import os, sys
from postroom import MailMessage, MailSenderFactory

def mail(subject):
    return MailMessage("ada@example.com", subject, "<p>x</p>", "grace@example.com")

more = {"pool_size": 1, "deadline": 5, "pool_max_messages": int(sys.argv[2])}
made = MailSenderFactory.create_sender("smtp", {"server": "127.0.0.1", "port": int(sys.argv[1]), **more})
results = made.deliver_many([mail(f"parent {number}") for number in range(3)])
for number, result in enumerate(results):
    assert result.attempts == 1
    if number == int(sys.argv[3]):
        child = os.fork()
        if not child:
            made.deliver(mail("child"))
            results.close()
            made.deliver(mail("child again"))
            made.close()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
made.close()
"""


@pytest.mark.parametrize("position", [0, 2])
@pytest.mark.parametrize("most", [3, 100])
@pytest.mark.parametrize("extensions", EXTENSIONS, ids=KINDS)
def test_a_child_that_leaves_its_parents_loop_does_not_touch_its_connection(
    smtp_server: Start, extensions: tuple[str, ...], most: int, position: int
) -> None:
    """Whatever was on its way is the parent's, and so is the turn."""
    server = smtp_server(extensions=extensions)
    run(FORK_IN_THE_LOOP, server.port, most, position)
    server.wait()
    subjects = [body.partition(b"Subject: ")[2].partition(b"\r\n")[0] for body in server.bodies]
    assert sorted(subjects) == [b"child", b"child again", b"parent 0", b"parent 1", b"parent 2"]
    assert server.connections == server.verbs.count("QUIT") == 2


FORK_AND_THREADS = """
import os, sys, threading
from postroom_smtp.connection import Deadline
from postroom_smtp.sender import SmtpSender
from postroom_smtp.settings import SmtpSettings

def child(made):
    sys.setswitchinterval(1e-6)
    meeting, failures = threading.Barrier(8), []
    def work():
        meeting.wait()
        try:
            made.check_connection()
        except BaseException as error:
            failures.append(error)
    threads = [threading.Thread(target=work) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    made.close()
    os._exit(len(failures))

made = SmtpSender(SmtpSettings(server="127.0.0.1", port=int(sys.argv[1]), pool_size=3), "smtp")
made.check_connection()
for _ in range(10):
    pid = os.fork()
    if not pid:
        child(made)
    assert os.waitpid(pid, 0)[1] == 0
made.close()
"""


def test_the_first_threads_of_a_child_agree_on_its_pool(smtp_server: Start) -> None:
    """They begin at once, as those of a web server's worker do, and every turn goes back to where it came from."""
    server = smtp_server()
    run(FORK_AND_THREADS, server.port)
    assert server.wait().connections > 10


GEVENT = """
from gevent import monkey
monkey.patch_all()
import sys
import gevent.pool
from postroom import MailMessage, MailSenderFactory

made = MailSenderFactory.create_sender("smtp", {"server": "127.0.0.1", "port": int(sys.argv[1]), "pool_size": 4})

def work(number):
    mail = MailMessage("ada@example.com", f"Number {number}.", f"<p>{number}</p>", "grace@example.com")
    assert made.deliver(mail).attempts == 1

greenlets = gevent.pool.Pool(10)
for each in [greenlets.spawn(work, number) for number in range(500)]:
    each.get()
made.close()
"""


@pytest.mark.parametrize("extensions", EXTENSIONS, ids=KINDS)
def test_greenlets_share_the_pool(smtp_server: Start, extensions: tuple[str, ...]) -> None:
    """500 messages of ten greenlets over four connections at a time arrive once each and whole."""
    pytest.importorskip("gevent")
    server = smtp_server(extensions=extensions)
    run(GEVENT, server.port, options=())
    server.wait()
    subjects = [body.partition(b"Subject: ")[2].partition(b"\r\n")[0] for body in server.bodies]
    assert sorted(subjects) == sorted(f"Number {number}.".encode() for number in range(500))
    for body, subject in zip(server.bodies, subjects, strict=True):
        assert b"<p>%s</p>" % subject[7:-1] in body
    assert 4 <= server.connections <= 8  # each carries 100 messages at the most
    assert set(server.verbs) <= {"EHLO", "MAIL", "RCPT", "DATA", "BDAT", "QUIT"}


EVENTLET = """
import warnings
warnings.simplefilter("ignore")  # eventlet says at its import that it will end one day
import eventlet
eventlet.monkey_patch()
import json, sys
from postroom import MailMessage, MailSenderFactory

made = MailSenderFactory.create_sender("smtp", json.loads(sys.argv[2]) | {"port": int(sys.argv[1])})

def work(number):
    mail = MailMessage("ada@example.com", f"Number {number}.", f"<p>{number}</p>", "grace@example.com")
    return made.deliver(mail).attempts

assert list(eventlet.GreenPool(10).imap(work, range(100))) == [1] * 100
made.close()
"""


@pytest.mark.parametrize("extensions", EXTENSIONS, ids=KINDS)
@pytest.mark.parametrize("mode", ["none", "starttls", "implicit"])
def test_eventlet_sends_and_keeps_connections(
    smtp_server: Start, ca: Certificates, extensions: tuple[str, ...], mode: str
) -> None:
    """Its TLS says that there is nothing to read by a time-out; that is no reason to give a connection up."""
    pytest.importorskip("eventlet")
    encrypted = {} if mode == "none" else {"tls": ca.good, "implicit": mode == "implicit"}
    server = smtp_server(extensions=extensions, **encrypted)
    settings = {"server": "localhost", "tls_mode": mode, **({"ca_file": ca.ca_file} if encrypted else {})}
    run(EVENTLET, server.port, json.dumps(settings), options=())
    assert len(server.wait().taken) == 100
    assert server.connections == 4


# Limits of a server


@pytest.mark.skipif(not Path("/proc/self/net/tcp").exists(), reason="needs Linux to count sockets")
@pytest.mark.parametrize(("size", "limit", "most"), [(8, 3, 3), (2, 3, 2), (3, None, 3)])
def test_the_smaller_of_limit_and_setting_counts(smtp_server: Start, size: int, limit: int | None, most: int) -> None:
    """A server's own limit, as Exchange Online has it, cannot be exceeded by a setting."""
    server = smtp_server()
    watch = Watch(server.port, most)
    meeting = threading.Barrier(most)

    def login(session: Session) -> None:
        watch(session)
        meeting.wait(PATIENCE)

    settings = SmtpSettings(**server.settings(pool_size=size))  # type: ignore[arg-type]
    made = SmtpSender(settings, "smtp", login, limit)
    with ThreadPoolExecutor(12) as threads:
        list(threads.map(lambda _: made.deliver(message()), range(24)))
    made.close()
    assert watch.most == watch.opened == most
    assert microsoft.connections("smtp.office365.com") == 3


# TLS


def server_context(ca: Certificates, version: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*ca.good_files())
    context.minimum_version = context.maximum_version = version
    return context


@pytest.mark.parametrize("mode", ["starttls", "implicit"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_a_further_connection_resumes_the_tls_session(
    smtp_server: Start, ca: Certificates, version: ssl.TLSVersion, mode: str
) -> None:
    """The server sees one whole handshake, and short ones from then on."""
    context = server_context(ca, version)
    server = smtp_server(tls=context, implicit=mode == "implicit")
    with sender(server.settings(tls_mode=mode, ca_file=ca.ca_file, pool_idle=0)) as made:
        for _ in range(3):
            made.deliver(message())
    server.wait()
    assert (server.connections, context.session_stats()["hits"]) == (3, 2)


def test_resuming_does_not_let_another_server_in(smtp_server: Start, ca: Certificates) -> None:
    """Who answers with a certificate of another host is refused, although an earlier session was good."""
    server = smtp_server(tls=ca.good)
    with sender(server.settings(tls_mode="starttls", ca_file=ca.ca_file, pool_idle=0)) as made:
        made.deliver(message())
        server.tls = ca.wrong_host
        with pytest.raises(MailConnectionError, match="its certificate is not valid"):
            made.deliver(message())
        server.tls = ca.good
        made.deliver(message())


def test_the_ca_file_is_read_once(smtp_server: Start, ca: Certificates, tmp_path: Path) -> None:
    """Loading what is trusted costs more than a message, so all connections have one context."""
    path = tmp_path / "ca.pem"
    path.write_bytes(Path(ca.ca_file).read_bytes())
    server = smtp_server(tls=ca.good)
    with sender(server.settings(tls_mode="starttls", ca_file=str(path), pool_idle=0)) as made:
        made.check_connection()
        path.unlink()
        made.deliver(message())
        made.check_connection()
    assert server.wait().connections == 3


def test_threads_that_connect_at_once_agree_on_one_context(smtp_server: Start, ca: Certificates) -> None:
    """A TLS session can be resumed only with the context that it began with."""
    server = smtp_server(tls=ca.good)
    for _ in range(5):
        meeting = threading.Barrier(6)
        with sender(server.settings(tls_mode="starttls", ca_file=ca.ca_file, pool_size=6)) as made:

            def work(_: int, made: object = made, meeting: threading.Barrier = meeting) -> None:
                meeting.wait(PATIENCE)
                made.check_connection()  # type: ignore[attr-defined]

            with ThreadPoolExecutor(6) as threads:
                list(threads.map(work, range(6)))
            for _ in range(3):
                made.check_connection()
