"""A socket that cannot hang, and says what is wrong as `OSError`."""

import socket
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from postroom_smtp.connection import Connection, Deadline, resolve

Pair = tuple[Connection, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A connection and the socket at its other end."""
    ours, theirs = socket.socketpair()
    with closing(Connection(ours, Deadline(10))) as made, theirs:
        yield made, theirs


def soon() -> float:
    return time.monotonic() + 0.05


def test_a_line_comes_without_its_end(pair: Pair) -> None:
    """CRLF and a bare LF both end a line; a CR elsewhere is part of it."""
    connection, server = pair
    server.send(b"one\r\ntwo\nth\rree\r\n")
    until = time.monotonic() + 5
    assert [connection.read_line(until) for _ in range(3)] == [b"one", b"two", b"th\rree"]


def test_reading_stops_at_the_moment_given(pair: Pair) -> None:
    """Half a line is not enough."""
    connection, server = pair
    server.send(b"half a li")
    with pytest.raises(TimeoutError):
        connection.read_line(soon())


def test_a_moment_in_the_past_is_a_timeout(pair: Pair) -> None:
    """No time left is an error, not a socket without blocking; what has been read already is still given."""
    connection, server = pair
    server.send(b"one\r\ntwo\r\n")
    assert connection.read_line(time.monotonic() + 5) == b"one"
    assert connection.read_line(time.monotonic() - 1) == b"two"
    with pytest.raises(TimeoutError):
        connection.read_line(time.monotonic() - 1)


def test_the_end_of_the_connection_is_an_error(pair: Pair) -> None:
    """A server that hangs up has not said a line."""
    connection, server = pair
    server.send(b"half a li")
    server.close()
    with pytest.raises(ConnectionError, match="closed the connection"):
        connection.read_line(time.monotonic() + 5)


def test_writing_stops_when_nobody_reads(pair: Pair) -> None:
    """Each block has its time-out."""
    connection, _ = pair
    with pytest.raises(TimeoutError):
        connection.write(bytes(50_000_000), 0.05)


def test_writing_stops_at_the_deadline() -> None:
    """The deadline is over all blocks together."""
    ours, theirs = socket.socketpair()
    with closing(Connection(ours, Deadline(0.05))) as connection, theirs, pytest.raises(TimeoutError):
        connection.write(bytes(50_000_000), 60)


@pytest.mark.parametrize("polls", [True, False])
def test_input_is_seen_without_waiting(monkeypatch: pytest.MonkeyPatch, polls: bool) -> None:
    """Nothing there is no; something is yes, as often as one asks; the end is an error. It needs no poll()."""
    if not polls:
        monkeypatch.delattr("select.poll")
    ours, server = socket.socketpair()
    with closing(Connection(ours, Deadline(60))) as connection, closing(server):
        input_is_seen(connection, server)


def input_is_seen(connection: Connection, server: socket.socket) -> None:
    """Let the server speak, and look."""
    assert not connection.has_input()
    server.send(b"2")
    assert connection.has_input()
    assert connection.has_input()
    server.send(b"50 ok\r\n")
    assert connection.read_line(time.monotonic() + 5) == b"250 ok"
    assert not connection.has_input()
    server.close()
    with pytest.raises(ConnectionError, match="closed the connection"):
        connection.has_input()


def test_the_deadline_comes_before_a_later_moment() -> None:
    """A step ends after its own time, or with the whole send."""
    deadline = Deadline(5)
    now = time.monotonic()
    assert now < deadline.after(1) < now + 2
    assert deadline.after(100) == deadline.after(200) < now + 10


def test_connecting_is_over_with_the_deadline() -> None:
    """With no time left, nothing is tried."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        pytest.raises(TimeoutError),
    ):
        Connection.open(resolve("127.0.0.1", listener.getsockname()[1]), 5, Deadline(0))


def test_an_open_connection_knows_its_own_address() -> None:
    """The address is that of our end."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        closing(Connection.open(resolve("127.0.0.1", listener.getsockname()[1]), 5, Deadline(5))) as connection,
    ):
        accepted, address = listener.accept()
        accepted.close()
        assert connection.local_address == address[0] == "127.0.0.1"
        assert not connection.encrypted


def test_a_refused_connection_is_closed() -> None:
    """An error leaves no socket behind; the warning that one would give fails the test."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        Connection.open(resolve("127.0.0.1", port), 5, Deadline(5))
