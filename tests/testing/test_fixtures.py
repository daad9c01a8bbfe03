"""The fixtures of the pytest plugin, in this process and in tests as the author of a provider writes them."""

import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

import postroom_testing
from distributions import PIGEON
from postroom import ProviderRegistry
from postroom_testing import http, smtp
from postroom_testing.http import HttpServer, Reply
from postroom_testing.smtp import SmtpServer

Install = Callable[..., Path]


def run(folder: Path, source: str) -> tuple[int, str]:
    """Run a test module with pytest, in a folder that knows nothing of this repository; return its exit and output."""
    (folder / "test_it.py").write_text(textwrap.dedent(source), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", "--basetemp", str(folder / "temp")],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


# The servers


def test_smtp_server_speaks_tls_takes_a_login_and_fails_where_it_is_told_to(tmp_path: Path) -> None:
    """With a context it offers STARTTLS, welcomes a login, and does what the script says of the second message."""
    source = r"""
        import smtplib, ssl

        import pytest

        from postroom_testing.smtp import Reset


        def send(client):
            client.sendmail("ada@example.com", ["grace@example.com"], "Subject: Hello\r\n\r\nHello\r\n.dot\r\n")


        def test_it(smtp_server, certificates):
            server = smtp_server({".": [b"250 kept\r\n", Reset()]}, tls=certificates.good)
            context = ssl.create_default_context(cafile=certificates.ca_file)
            with smtplib.SMTP(server.host, server.port, timeout=10) as client:
                client.starttls(context=context)
                client.login("ada", "pass word")
                send(client)
                with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionResetError)):
                    send(client)
                client.close()
            server.wait()
            assert server.bodies == [b"Subject: Hello\r\n\r\nHello\r\n..dot\r\n"] * 2
            assert server.verbs[:4] == ["EHLO", "STARTTLS", "EHLO", "AUTH"]
            assert (server.connections, server.tls_failures) == (1, [])
        """
    code, said = run(tmp_path, source)
    assert code == 0, said


def test_http_server_answers_resets_and_keeps_what_came(tmp_path: Path) -> None:
    """It replies to the first request, resets the connection at the second, and has both."""
    source = """
        import http.client

        import pytest

        from postroom_testing.http import Reply, Reset


        def test_it(http_server):
            server = http_server(Reply(202, {"id": "one"}), Reset())
            client = http.client.HTTPConnection(server.host, server.port, timeout=10)
            client.request("POST", "/emails?to=1", body=b'{"n": 1}', headers={"X-Key": "secret"})
            answer = client.getresponse()
            assert (answer.status, answer.read()) == (202, b'{"id": "one"}')
            client.request("POST", "/emails", body=b'{"n": 2}')
            with pytest.raises(ConnectionResetError):
                client.getresponse()
            client.close()
            first, second = server.requests
            assert (first.method, first.path, first.headers["x-key"]) == ("POST", "/emails?to=1", "secret")
            assert [first.json(), second.json()] == [{"n": 1}, {"n": 2}]
            assert (first.connection, second.connection, server.connections) == (0, 0, 1)
        """
    code, said = run(tmp_path, source)
    assert code == 0, said


def test_servers_end_with_the_test_whatever_their_clients_do(tmp_path: Path) -> None:
    """A client that says nothing, also in place of a handshake, holds no server up, and nobody listens afterwards."""
    source = """
        import socket

        import pytest

        SERVERS, CLIENTS = [], []


        @pytest.mark.parametrize("options", [{}, {"tls": "good"}, {"tls": "good", "implicit": True}])
        def test_smtp(smtp_server, certificates, options):
            server = smtp_server(**options | {"tls": certificates.good if "tls" in options else None})
            CLIENTS.append(socket.create_connection((server.host, server.port)))
            SERVERS.append(server)


        @pytest.mark.parametrize("tls", [False, True])
        def test_http(http_server, certificates, tls):
            server = http_server(tls=certificates.good if tls else None)
            CLIENTS.append(socket.create_connection((server.host, server.port)))
            SERVERS.append(server)


        def test_gone():
            assert len(SERVERS) == 5
            for server in SERVERS:
                with pytest.raises(ConnectionRefusedError):
                    socket.create_connection((server.host, server.port))
            for client in CLIENTS:
                client.close()
        """
    code, said = run(tmp_path, source)
    assert code == 0, said


@pytest.mark.parametrize(
    ("command", "options", "words"),
    [
        ("STARTTLS", {"script": {"STARTTLS": b"220 go\r\n"}}, "TLS begins, and the server has no context for it"),
        ("BDAT 3 LAST", {"swallows": False}, "the script does not say how BDAT is refused"),
    ],
)
def test_a_script_that_leaves_the_server_helpless_fails_the_test(
    tmp_path: Path, command: str, options: object, words: str
) -> None:
    """What the server cannot do is said in the report of pytest, not swallowed in its thread."""
    source = f"""
        import socket


        def test_it(smtp_server):
            server = smtp_server(**{options!r})
            with socket.create_connection((server.host, server.port)) as client:
                client.sendall({command!r}.encode() + b"\\r\\n")
                while client.recv(100):
                    pass
            server.wait()
        """
    code, said = run(tmp_path, source)
    assert code == 1, said
    assert words in said


def test_a_moment_that_there_is_not_is_refused(smtp_server: Callable[..., SmtpServer]) -> None:
    """A script with a wrong word would go well without saying anything."""
    with pytest.raises(ValueError, match=r"no such moment: RCTP; there are \., AUTH"):
        smtp_server({"RCTP": b"550 no\r\n"})


def test_a_script_and_a_function_are_too_much(http_server: Callable[..., HttpServer]) -> None:
    """One of the two decides what an HTTP server answers."""
    with pytest.raises(ValueError, match="not both"):
        http_server(Reply(), answer=lambda request: Reply())


# A distribution that is installed for a test


def test_an_installed_distribution_is_found_by_a_new_registry(installed_distribution: Install) -> None:
    """A provider without a wheel is found, each time that one is written, and nothing of it is imported before."""
    for name in ("pigeon", "dove"):
        modules = {f"{name}_plugin": PIGEON.replace("NAME", name)}
        info = installed_distribution(f"acme-{name}", {name: f"{name}_plugin"}, version="2.1", modules=modules)
        assert info.name == f"acme_{name}-2.1.dist-info"
        registry = ProviderRegistry()
        assert [str(each) for each in registry.registrations if each.name == name] == [f"acme-{name} 2.1"]
        assert f"{name}_plugin" not in sys.modules
        assert registry.provider(name, {}).name == name


def test_an_installed_distribution_is_gone_after_its_test(tmp_path: Path) -> None:
    """The next test finds neither the provider nor its module, and may bring another one of the same name."""
    source = """
        import sys

        import pytest

        from postroom import ProviderRegistry

        PATH = list(sys.path)
        SOURCE = '''
            from postroom import Provider, SenderSettings, hookimpl


            @hookimpl
            def postroom_provider():
                return Provider("pigeon", SenderSettings, DELIVER)
            '''


        @pytest.mark.parametrize("name", ["list", "dict"])
        def test_there(installed_distribution, name):
            modules = {"pigeon_plugin": SOURCE.replace("DELIVER", name)}
            installed_distribution("acme-pigeon", {"pigeon": "pigeon_plugin"}, modules=modules)
            assert ProviderRegistry().provider("pigeon", {}).build.__name__ == name
            assert "pigeon_plugin" in sys.modules


        def test_gone():
            assert sys.path == PATH
            assert "pigeon_plugin" not in sys.modules
            assert "pigeon" not in ProviderRegistry().names()
        """
    code, said = run(tmp_path, source)
    assert code == 0, said


# The package


def test_what_is_public_is_there() -> None:
    """Each name in `__all__` is there, sorted, and no other name is made up."""
    for module in (postroom_testing, http, smtp):
        assert module.__all__ == sorted(module.__all__)
        assert [name for name in module.__all__ if not hasattr(module, name)] == []
    with pytest.raises(AttributeError, match="module 'postroom_testing' has no attribute 'smpt'"):
        _ = postroom_testing.smpt


def test_the_plugin_costs_a_start_of_pytest_nothing() -> None:
    """Where it is installed, pytest loads it at each start: neither postroom nor TLS comes with it."""
    source = (
        "import sys, postroom_testing.plugin as _; print(*{'postroom', 'ssl', 'trustme', 'attrs'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == ""
