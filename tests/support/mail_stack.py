"""A private Postfix and Dovecot: SMTP submission on loopback that takes the tokens of an `OAuthServer`.

Postfix speaks SMTP and keeps what it takes in a maildir; Dovecot does the logins. Both are Debian's, run on files in a
folder of their own, and leave the system's configuration and services alone.
"""

import contextlib
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

import attrs

import oauth_servers
from oauth_servers import OAuthServer
from postroom_testing import Certificates

MAILBOX = "app@example.org"
PASSWORD = "correct horse battery staple"

_HOST = "127.0.0.1"
_PATIENCE = 10.0  # seconds until something that does not begin or arrive fails the test
_MASTER = "/usr/lib/postfix/sbin/master"
_DOVECOT = "/usr/sbin/dovecot"
_KEEPER = "nobody"  # Postfix does not deliver as root
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}  # what tests set is not for these servers

_OFFERS = {
    "microsoft": "login xoauth2",
    "google": "login plain xoauth2 oauthbearer",
    "bearer": "oauthbearer",
    "password": "plain login",
}
_OF_POSTFIX = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "trace")
_SERVICES = """\
anvil      unix       -  -  n  -      1    anvil
bounce     unix       -  -  n  -      0    bounce
cleanup    unix       n  -  n  -      0    cleanup
defer      unix       -  -  n  -      0    bounce
error      unix       -  -  n  -      -    error
pickup     unix       n  -  n  60     1    pickup
postlog    unix-dgram n  -  n  -      1    postlogd
proxymap   unix       -  -  n  -      -    proxymap
qmgr       unix       n  -  n  300    1    qmgr
retry      unix       -  -  n  -      -    error
rewrite    unix       -  -  n  -      -    trivial-rewrite
tlsmgr     unix       -  -  n  1000?  1    tlsmgr
trace      unix       -  -  n  -      0    bounce
virtual    unix       -  n  n  -      -    virtual
"""
_DOVECOT_CONF = """\
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/dovecot.log
auth_verbose = yes
protocols =
ssl = no
listen = 127.0.0.1
auth_mechanisms = plain login xoauth2 oauthbearer
auth_failure_delay = 0
# Postfix offers no login without TLS.
disable_plaintext_auth = no
service auth {{
  unix_listener {folder}/queue/private/auth {{
    mode = 0660
    user = postfix
    group = postfix
  }}
}}
# Else each failed login delays the next one from the same address, by up to 15 seconds.
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
userdb {{
  driver = static
  args = uid={keeper} gid=nogroup home={folder}/mail
}}
passdb {{
  driver = passwd-file
  mechanisms = plain login
  args = {folder}/passwords
}}
# Says yes to all and decides nothing, but after it a refusal no longer takes half a second.
passdb {{
  driver = static
  mechanisms = xoauth2 oauthbearer
  args = nopassword=y nodelay=y
  result_success = continue
}}
"""
# Every one of these must say yes to a token, in this order.
_CHECK = """\
passdb {{
  driver = {driver}
  mechanisms = xoauth2 oauthbearer
  args = {args}
  result_success = {result}
  result_failure = return-fail
}}
"""
# A token of an application names no mailbox, so it must not be compared with the user: both become "any".
_SIGNATURE_CONF = """\
introspection_mode = local
local_validation_key_dict = fs:posix:prefix={folder}/keys/
issuers = {issuer}
client_id = {audience}
username_attribute = sub
username_format = any
pass_attrs = roles=%{{oauth2:roles}}
"""
_REVOCATION_CONF = """\
introspection_mode = post
introspection_url = {url}
active_attribute = active
active_value = true
username_attribute = sub
username_format = any
timeout_msecs = 5000
tls_ca_cert_file = {folder}/ca.pem
"""


def missing_parts() -> list[str]:
    """Return what this needs and is not there."""
    parts = oauth_servers.missing_parts()
    if not Path(_MASTER).exists():
        parts.append("postfix")
    if not Path(_DOVECOT).exists():
        parts.append("dovecot-core 2.3")
    elif not (version := subprocess.check_output([_DOVECOT, "--version"], text=True)).startswith("2.3."):
        # Since 2.4 the configuration has another language.
        parts.append(f"dovecot-core 2.3 (this is {version.strip()})")
    if os.geteuid() != 0:
        parts.append("root, without which Postfix does not start")
    return parts


@attrs.frozen
class Stored:
    """A message in the maildir, where it is once for each of its recipients."""

    mail_from: str
    rcpt_to: str
    user: str | None
    """Who logged in."""
    content: bytes
    """As it came, but with LF for its line ends; what Postfix put before it is gone."""


class MailStack:
    """Postfix on free ports of 127.0.0.1, one for each way to log in, and Dovecot behind it.

    - `microsoft` offers LOGIN and XOAUTH2, as smtp.office365.com does;
    - `google` PLAIN, LOGIN, XOAUTH2 and OAUTHBEARER;
    - `bearer` only OAUTHBEARER;
    - `password` PLAIN and LOGIN.

    All demand STARTTLS before AUTH, and AUTH before MAIL. A token is good for any of `mailboxes` if `oauth` has signed
    and not revoked it, it has not expired, it is for `audience`, and `role` is its one role. A token that is not good
    gets a challenge and then 535; 535 without a challenge while `oauth` cannot be asked.

    Args:
        certificates: Whence the server's certificate comes.
        oauth: The server whose tokens count; it must be running.
        mailboxes: Users that may log in, by token or with `PASSWORD`.
        audience: What `aud` must be.
        role: What `roles` must be; empty if it does not matter.
        parameters: Postfix's parameters, on top of ours.
    """

    def __init__(
        self,
        certificates: Certificates,
        oauth: OAuthServer,
        *,
        mailboxes: Sequence[str] = (MAILBOX,),
        audience: str = oauth_servers.RESOURCE,
        role: str = oauth_servers.ROLE,
        parameters: Mapping[str, str] | None = None,
    ) -> None:
        self.host = _HOST
        self.ports = dict.fromkeys(_OFFERS, 0)
        self.folder = Path()
        """Where everything is while it runs."""
        self._certificates = certificates
        self._oauth = oauth
        self._mailboxes = mailboxes
        self._audience = audience
        self._role = role
        self._parameters = dict(parameters or {})

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            # Not in pytest's own folder, which only root may enter. A socket's path must be short, too.
            self.folder = Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="mail-", ignore_cleanup_errors=True))
            )
            self.folder.chmod(0o755)
            self._make_folders()
            self._write_dovecot()
            self._write_postfix()
            dovecot = stack.enter_context(self._running(_DOVECOT, "-F", "-c", str(self.folder / "dovecot.conf")))
            # An smtpd that finds no Dovecot dies, and Postfix waits a minute before it starts the next one.
            self._wait(dovecot, (self.folder / "queue/private/auth").exists)
            postfix = stack.enter_context(self._running(_MASTER, "-s", "-c", str(self.folder)))
            self._wait(postfix, self._greets)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def port(self) -> int:
        """The port that is like Microsoft's."""
        return self.ports["microsoft"]

    @property
    def log(self) -> str:
        """What Postfix and Dovecot have logged."""
        return "".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("*.log")))

    def stored(self, count: int = 1) -> list[Stored]:
        """Wait until there are `count` messages at least, and return all, the oldest first."""
        until = time.monotonic() + _PATIENCE
        while len(paths := self._paths()) < count:
            assert time.monotonic() < until, f"{len(paths)} of {count} messages have come:\n{self.log}"
            time.sleep(0.02)
        return [_stored(path.read_bytes()) for path in sorted(paths, key=lambda path: path.stat().st_mtime_ns)]

    def clear(self) -> None:
        """Forget the messages."""
        for path in self._paths():
            path.unlink()

    def _paths(self) -> list[Path]:
        return list((self.folder / "mail/new").iterdir())

    def _make_folders(self) -> None:
        self._make("queue", 0o755)
        for name in _OF_POSTFIX:
            self._make(f"queue/{name}", 0o700, "postfix")
        for name in ("maildrop", "public"):
            self._make(f"queue/{name}", 0o755, "postfix")
        self._make("queue/pid", 0o755)
        self._make("data", 0o700, "postfix")
        for name in ("mail", "mail/cur", "mail/new", "mail/tmp"):
            self._make(name, 0o700, _KEEPER)
        for name in ("run", "keys", "keys/default", "keys/default/RS256"):
            self._make(name, 0o755)

    def _make(self, name: str, mode: int, owner: str = "root") -> None:
        path = self.folder / name
        path.mkdir()
        path.chmod(mode)
        shutil.chown(path, owner)

    def _write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o644)
        # Postfix waits until its configuration is some seconds old, in case somebody is still at it.
        os.utime(path, (0, 0))

    def _write_dovecot(self) -> None:
        folder, oauth = self.folder, self._oauth
        checks = [("passwd-file", f"{folder}/granted"), ("oauth2", f"{folder}/signature.conf")]
        if self._role:
            checks.append(("passwd-file", f"username_format=%{{passdb:roles}} {folder}/roles"))
        passdbs = [_CHECK.format(driver=driver, args=args, result="continue") for driver, args in checks]
        passdbs.append(_CHECK.format(driver="oauth2", args=f"{folder}/revocation.conf", result="return-ok"))
        self._write("dovecot.conf", _DOVECOT_CONF.format(folder=folder, keeper=_KEEPER) + "".join(passdbs))
        self._write("granted", "".join(f"{user}:::::::nopassword=y\n" for user in self._mailboxes))
        self._write("passwords", "".join(f"{user}:{{PLAIN}}{PASSWORD}\n" for user in self._mailboxes))
        self._write("roles", f"{self._role}:::::::nopassword=y\n")
        conf = _SIGNATURE_CONF.format(folder=folder, issuer=oauth.issuer, audience=self._audience)
        self._write("signature.conf", conf)
        self._write(f"keys/default/RS256/{oauth.key_id}", oauth.public_key)
        self._write("revocation.conf", _REVOCATION_CONF.format(folder=folder, url=oauth.introspection_url))
        self._write("ca.pem", Path(oauth.ca_file).read_text())

    def _write_postfix(self) -> None:
        folder, keeper = self.folder, pwd.getpwnam(_KEEPER)
        chain, key = self._certificates.good_files()
        self._write("server.pem", Path(key).read_text() + Path(chain).read_text())
        parameters = {
            "compatibility_level": "3.6",
            "queue_directory": f"{folder}/queue",
            "data_directory": f"{folder}/data",
            "daemon_directory": str(Path(_MASTER).parent),
            "maillog_file": f"{folder}/postfix.log",
            "maillog_file_prefixes": str(folder),
            "myhostname": "mail.example.org",
            "inet_interfaces": _HOST,
            "inet_protocols": "ipv4",
            "mynetworks": "",
            # No name is looked up and nothing leaves the machine: all recipients have the one maildir.
            "disable_dns_lookups": "yes",
            "smtpd_peername_lookup": "no",
            "mydestination": "",
            "local_recipient_maps": "",
            "alias_maps": "",
            "default_transport": "virtual",
            "virtual_mailbox_base": str(folder),
            "virtual_mailbox_maps": "static:mail/",
            "virtual_mailbox_limit": "0",
            "virtual_uid_maps": f"static:{keeper.pw_uid}",
            "virtual_gid_maps": f"static:{keeper.pw_gid}",
            "local_header_rewrite_clients": "",  # or it adds the headers that a message lacks
            "smtpd_tls_chain_files": f"{folder}/server.pem",
            "smtpd_tls_security_level": "encrypt",
            "smtpd_sasl_auth_enable": "yes",
            "smtpd_sasl_type": "dovecot",
            "smtpd_sasl_path": "private/auth",
            "smtpd_sasl_authenticated_header": "yes",
            "smtpd_delay_reject": "no",
            "smtpd_sender_restrictions": "permit_sasl_authenticated,"
            " check_sender_access static:{530 5.7.57 Client not authenticated to send mail}",
            "smtpd_relay_restrictions": "permit_sasl_authenticated, reject",
            "smtpd_client_connection_count_limit": "0",
            "smtpd_error_sleep_time": "0",
            **self._parameters,
        }
        self._write("main.cf", "".join(f"{name} = {value}\n" for name, value in parameters.items()))
        with _free_ports(len(self.ports)) as ports:
            self.ports = dict(zip(self.ports, ports, strict=True))
        self._write("master.cf", _SERVICES + "".join(_smtpd(port, _OFFERS[name]) for name, port in self.ports.items()))

    @contextlib.contextmanager
    def _running(self, *command: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a server in a process group of its own, and end that group."""
        with (self.folder / f"{Path(command[0]).name}.log").open("ab") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=_ENVIRONMENT
            )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _wait(self, process: subprocess.Popen[bytes], ready: Callable[[], bool]) -> None:
        until = time.monotonic() + _PATIENCE
        while not ready():
            in_time = process.poll() is None and time.monotonic() < until
            assert in_time, f"{process.args!r} does not start:\n{self.log}"
            time.sleep(0.02)

    def _greets(self) -> bool:
        try:
            with socket.create_connection((_HOST, self.port), _PATIENCE / 2) as sock:
                return sock.recv(100).startswith(b"220 ")
        except OSError:
            return False


def _smtpd(port: int, mechanisms: str) -> str:
    return f"{_HOST}:{port} inet n - n - - smtpd -o {{smtpd_sasl_mechanism_filter = {mechanisms}}}\n"


@contextlib.contextmanager
def _free_ports(count: int) -> Iterator[list[int]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(socket.create_server((_HOST, 0))).getsockname()[1] for _ in range(count)]


_ADDED = re.compile(
    rb"Return-Path: <(?P<mail_from>.*)>\n(?:X-Original-To: .*\n)?Delivered-To: (?P<rcpt_to>.*)\n"
    rb"(?P<received>Received: .*\n(?:[ \t].*\n)*)"
)


def _stored(raw: bytes) -> Stored:
    found = _ADDED.match(raw)
    assert found, f"not as Postfix delivers: {raw[:500]!r}"
    user = re.search(rb"Authenticated sender: (\S+)\)", found["received"])
    return Stored(
        mail_from=found["mail_from"].decode(),
        rcpt_to=found["rcpt_to"].decode(),
        user=user[1].decode() if user else None,
        content=raw[found.end() :],
    )
