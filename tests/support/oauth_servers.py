"""An OAuth2 server that looks like Microsoft Entra ID: tokens of npm `oauth2-mock-server`, Entra's paths, and faults.

The npm package runs as a process of its own and makes and signs the tokens. In front of it stands a small https server
that has Entra's paths, checks who asks as Entra does, keeps count, and fails wherever it is told to.
"""

import base64
import binascii
import contextlib
import http.client
import http.server
import json
import os
import shutil
import socket
import socketserver
import ssl
import subprocess
import threading
import time
import uuid
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import parse_qsl, urlsplit

import attrs
import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from postroom_testing import Certificates

TENANT = "0f6b1e5c-7a0c-4a7e-9d38-2f5b6c1d9e10"
CLIENT_ID = "b3a9c2d4-51f7-4e0b-8c66-7d1e2f3a4b5c"
CLIENT_SECRET = "Xq8~not-a-real-secret.R7v_kPz2Lw"
RESOURCE = "https://outlook.office365.com"
SCOPE = f"{RESOURCE}/.default"
ROLE = "SMTP.SendAsApp"

_OBJECT_ID = "6c1f0c3e-8f5d-4d0b-a1d7-93b2f4e5a6c7"
_HOST = "127.0.0.1"
_PATIENCE = 10.0  # seconds until something that does not end or answer fails the test
_FOLDER = Path(__file__).with_name("oauth2")
_PACKAGE = _FOLDER / "node_modules" / "oauth2-mock-server"

Endpoint = Literal["metadata", "keys", "token", "introspection", "managed_identity"]


def missing_parts() -> list[str]:
    """Return what this needs and is not installed."""
    parts = [] if shutil.which("node") else ["node"]
    return parts if _PACKAGE.is_dir() else [*parts, f"oauth2-mock-server (npm install --prefix {_FOLDER})"]


def need(parts: list[str]) -> None:
    """Leave the test out if `parts`, which are missing, are any; in CI they must not be."""
    if parts:
        outcome = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        outcome("not installed here: " + ", ".join(parts))


@attrs.frozen
class Answer:
    """Answer this instead of what the request deserves. A mapping goes out as JSON, text as HTML."""

    status: int
    body: Mapping[str, object] | str = ""
    headers: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen
class Drop:
    """Close the connection after so many octets of the answer."""

    after: int = 0


@attrs.frozen
class Stall:
    """Never answer, and keep the connection."""


@attrs.frozen
class Drip:
    """Answer as the request deserves, one octet after each `interval` seconds."""

    interval: float = 0.05


Fault = Answer | Drop | Stall | Drip

_AADSTS = {
    50126: (400, "invalid_grant", "Error validating credentials due to invalid username or password."),
    50196: (400, "invalid_grant", "The server terminated an operation because it encountered a client request loop."),
    53003: (400, "invalid_grant", "Access has been blocked by Conditional Access policies."),
    70003: (400, "unsupported_grant_type", "The app requested an unsupported grant type."),
    90002: (400, "invalid_tenant", "Tenant not found. Check to make sure you have the correct tenant ID."),
    90033: (503, "temporarily_unavailable", "A transient error has occurred. Please try again."),
    500011: (400, "invalid_resource", "The resource principal was not found in the tenant."),
    700016: (400, "unauthorized_client", "Application with identifier was not found in the directory."),
    700027: (401, "invalid_client", "The certificate used to sign the client assertion is not registered."),
    700213: (401, "invalid_client", "No matching federated identity record found for presented assertion subject."),
    1002012: (400, "invalid_scope", "Client credential flows must have a scope value with /.default suffixed."),
    7000215: (401, "invalid_client", "Invalid client secret provided. Ensure it is the secret value, not its ID."),
    7000216: (401, "invalid_client", "'client_assertion' or 'client_secret' is required."),
    7000222: (401, "invalid_client", "The provided client secret keys for app are expired."),
}


def entra_error(code: int, headers: Mapping[str, str] | None = None) -> Answer:
    """Return Entra's answer for one of its AADSTS codes."""
    status, error, words = _AADSTS[code]
    trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
    moment = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime())
    described = f"AADSTS{code}: {words} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {moment}"
    body = {
        "error": error,
        "error_description": described,
        "error_codes": [code],
        "timestamp": moment,
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": f"https://login.microsoftonline.com/error?code={code}",
    }
    return Answer(status, body, headers or {})


@attrs.define
class Tokens:
    """What the next tokens are like."""

    lifetime: int = 3600
    """Seconds; one below zero is expired already."""
    expires_in: int | None = None
    """What the answer says about the lifetime; None is the truth."""
    audience: str | None = None
    """None is the resource of the scope that is asked for."""
    roles: tuple[str, ...] = (ROLE,)
    size: int = 0
    """Octets at least."""
    claims: dict[str, object] = attrs.field(factory=dict)
    """Claims besides; None takes one out."""
    answer: dict[str, object] = attrs.field(factory=dict)
    """What else stands in the answer, such as `refresh_in`."""


@attrs.frozen
class Asked:
    """A request, without its secrets."""

    endpoint: Endpoint
    path: str
    client_id: str | None
    grant_type: str | None
    scope: str | None
    """Scope, or the resource of a managed identity."""
    credential: str | None
    """`client_secret`, `client_assertion`, or None."""
    assertion: dict[str, Any] | None
    """Header and claims of a client assertion, without its signature."""
    status: int | None
    """What it was answered; None is a fault that has no status."""


class OAuthServer:
    """Entra ID for one tenant with one application, over https on a free port of 127.0.0.1.

    `url` is the authority's host; MSAL takes `f"{server.url}/{server.tenant}"` as authority.

    Args:
        certificates: Whence the server's certificate comes.
        tls: Server context instead of the good one.
        certificate: The application's certificate, PEM, for signed client assertions.
        federated_token: The one token of another issuer that the application trusts.
    """

    def __init__(
        self,
        certificates: Certificates,
        *,
        tls: ssl.SSLContext | None = None,
        certificate: bytes | None = None,
        federated_token: str | None = None,
    ) -> None:
        self.ca_file = certificates.ca_file
        self.tenant = TENANT
        self.client_id = CLIENT_ID
        self.client_secret = CLIENT_SECRET
        self.certificate = x509.load_pem_x509_certificate(certificate) if certificate else None
        self.federated_token = federated_token
        self.identity_header = str(uuid.uuid4())
        """What App Service wants in X-IDENTITY-HEADER."""
        self.tokens = Tokens()
        self.asked: list[Asked] = []
        self.issued: list[str] = []
        """Every token, in order."""
        self._certificates = certificates
        self._tls = tls or certificates.good
        self._lock = threading.Lock()
        self._revoked: set[str] = set()
        self._next: dict[Endpoint, deque[Fault]] = {}
        self._until_recovery: dict[Endpoint, Fault] = {}

    def __enter__(self) -> Self:
        chain, key = self._certificates.good_files()
        self._listener = _Listener(self, self._tls)
        self.port = self._listener.server_address[1]
        self.url = f"https://localhost:{self.port}"
        self.issuer = f"{self.url}/{self.tenant}/v2.0"
        self.introspection_url = f"{self.url}/{self.tenant}/introspect"
        self._process = subprocess.Popen(
            ["node", str(_FOLDER / "start.mjs"), key, chain, self.issuer],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        started = self._process.stdout.readline()
        if not started:
            self._listener.server_close()
            raise RuntimeError(f"oauth2-mock-server does not start: {self._process.communicate()[1]}")
        facts = json.loads(started)
        self._backend_port: int = facts["port"]
        self.key_id: str = facts["kid"]
        self.public_key: str = facts["pem"]
        """Of the tokens' signatures, PEM."""
        self._trust = ssl.create_default_context(cafile=self.ca_file)
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.05,), name="OAuthServer")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.end()
        self._thread.join(_PATIENCE)
        self._process.communicate(timeout=_PATIENCE)
        assert not self._thread.is_alive(), "OAuthServer does not end"

    def count(self, endpoint: Endpoint = "token") -> int:
        """Return how many requests an endpoint has had."""
        return sum(asked.endpoint == endpoint for asked in self.asked)

    def fail_next(self, endpoint: Endpoint, *faults: Fault) -> None:
        """Let the next requests of an endpoint fail, each in its own way."""
        with self._lock:
            self._next.setdefault(endpoint, deque()).extend(faults)

    def fail(self, endpoint: Endpoint, fault: Fault) -> None:
        """Let every request of an endpoint fail until `recover`."""
        with self._lock:
            self._until_recovery[endpoint] = fault

    def recover(self) -> None:
        """Forget all faults and all that was asked; new tokens are ordinary ones. Tokens that were revoked stay so."""
        with self._lock:
            self._next.clear()
            self._until_recovery.clear()
            self.tokens = Tokens()
            self.asked.clear()

    def revoke(self, token: str) -> None:
        """Let a token no longer be valid, though its signature and its time are."""
        with self._lock:
            self._revoked.add(token)

    def revoke_all(self) -> None:
        """Revoke all tokens that were issued until now."""
        with self._lock:
            self._revoked.update(self.issued)

    def managed_identity_environment(self, kind: Literal["vm", "app_service"]) -> dict[str, str]:
        """Return the variables by which the Azure SDKs find the managed identity here."""
        if kind == "vm":
            return {"AZURE_POD_IDENTITY_AUTHORITY_HOST": self.url}
        return {"IDENTITY_ENDPOINT": f"{self.url}/msi/token", "IDENTITY_HEADER": self.identity_header}

    def _answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> tuple[Answer, Fault | None]:
        """Return what the request deserves, and the fault that comes instead."""
        path = urlsplit(target).path
        fields = dict(parse_qsl(body.decode() if method == "POST" else urlsplit(target).query))
        route = self._route(method, path)
        if route is None:
            return (entra_error(90002) if path.endswith(_TENANT_PATHS) else Answer(404)), None
        fault = self._take_fault(route)
        if isinstance(fault, Answer):
            answer = fault
        elif fault in (Drop(), Stall()):
            answer = Answer(200)  # of which nothing is seen, and so it costs no token
        else:
            answer = self._deserved(route, path, headers, fields)
        assertion = fields.get("client_assertion")
        credentials = [name for name in ("client_secret", "client_assertion") if name in fields]
        asked = Asked(
            endpoint=route,
            path=path,
            client_id=fields.get("client_id"),
            grant_type=fields.get("grant_type"),
            scope=fields.get("scope") or fields.get("resource"),
            credential=credentials[0] if credentials else None,
            assertion=_unsigned(assertion) if assertion else None,
            status=None if isinstance(fault, Drop | Stall) else answer.status,
        )
        with self._lock:
            self.asked.append(asked)
        return answer, fault

    def _route(self, method: str, path: str) -> Endpoint | None:
        paths: dict[tuple[str, str], Endpoint] = {
            ("GET", f"/{self.tenant}/v2.0/.well-known/openid-configuration"): "metadata",
            ("GET", f"/{self.tenant}/discovery/v2.0/keys"): "keys",
            ("POST", f"/{self.tenant}/oauth2/v2.0/token"): "token",
            ("POST", f"/{self.tenant}/introspect"): "introspection",
            ("GET", "/metadata/identity/oauth2/token"): "managed_identity",
            ("GET", "/msi/token"): "managed_identity",
        }
        return paths.get((method, path))

    def _take_fault(self, endpoint: Endpoint) -> Fault | None:
        with self._lock:
            if self._next.get(endpoint):
                return self._next[endpoint].popleft()
            return self._until_recovery.get(endpoint)

    def _deserved(self, endpoint: Endpoint, path: str, headers: Mapping[str, str], fields: dict[str, str]) -> Answer:
        match endpoint:
            case "metadata":
                return self._metadata()
            case "keys":
                return self._backend("GET", "/jwks")
            case "introspection":
                token = fields.get("token")
                return Answer(200, {"active": token in self.issued and token not in self._revoked, "sub": _OBJECT_ID})
            case "token":
                return self._refusal(fields) or self._issue(
                    fields["scope"].removesuffix("/.default"), fields["client_id"]
                )
            case "managed_identity":
                return self._managed_identity(path, headers, fields)

    def _metadata(self) -> Answer:
        answer = self._backend("GET", "/.well-known/openid-configuration")
        assert isinstance(answer.body, Mapping)
        here = f"{self.url}/{self.tenant}"
        # Where the package's own paths do not exist here, Entra's names go in; the rest stays as the package has it.
        paths = {
            "token_endpoint": f"{here}/oauth2/v2.0/token",
            "authorization_endpoint": f"{here}/oauth2/v2.0/authorize",
            "jwks_uri": f"{here}/discovery/v2.0/keys",
            "introspection_endpoint": self.introspection_url,
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        }
        return Answer(answer.status, {**answer.body, **paths})

    def _refusal(self, fields: dict[str, str]) -> Answer | None:
        """Return Entra's refusal of a token request, or None."""
        code = None
        if fields.get("client_id") != self.client_id:
            code = 700016
        elif fields.get("grant_type") != "client_credentials":
            code = 70003
        elif "client_assertion" in fields:
            code = self._assertion_fault(fields["client_assertion"])
        elif "client_secret" not in fields:
            code = 7000216
        elif fields["client_secret"] != self.client_secret:
            code = 7000215
        if code is None and not fields.get("scope", "").endswith("/.default"):
            code = 1002012
        return entra_error(code) if code else None

    def _assertion_fault(self, assertion: str) -> int | None:
        if assertion == self.federated_token:
            return None
        claims = _unsigned(assertion)
        if not claims.keys() & _THUMBPRINTS.keys():
            return 700213
        if self.certificate is None or not _is_signed(assertion, self.certificate):
            return 700027
        wanted = {"iss": self.client_id, "sub": self.client_id, "aud": f"{self.url}/{self.tenant}/oauth2/v2.0/token"}
        right = {name: claims.get(name) for name in wanted} == wanted and claims.get("exp", 0) > time.time()
        return None if right else 700027

    def _managed_identity(self, path: str, headers: Mapping[str, str], fields: dict[str, str]) -> Answer:
        if path == "/msi/token" and headers.get("x-identity-header") != self.identity_header:
            return Answer(401, {"statusCode": 401, "message": "The X-IDENTITY-HEADER is wrong."})
        if path != "/msi/token" and headers.get("metadata") != "true":
            return Answer(400, {"error": "invalid_request", "error_description": "Required metadata header missing"})
        answer = self._issue(fields["resource"], fields.get("client_id", self.client_id))
        assert isinstance(answer.body, Mapping)
        seconds = int(str(answer.body["expires_in"]))
        # Both kinds write numbers as strings, and only a virtual machine's has expires_in.
        body = {**answer.body, "expires_on": str(int(time.time()) + seconds), "resource": fields["resource"]}
        if path == "/msi/token":
            del body["expires_in"]
        else:
            body["expires_in"] = str(seconds)
        return Answer(answer.status, body)

    def _issue(self, resource: str, client_id: str) -> Answer:
        tokens = self.tokens
        claims = {
            "aud": tokens.audience or resource,
            "appid": client_id,
            "exp": int(time.time()) + tokens.lifetime,
            "idtyp": "app",
            "oid": _OBJECT_ID,
            "roles": list(tokens.roles) or None,
            "sub": _OBJECT_ID,
            "tid": self.tenant,
            "uti": str(uuid.uuid4()),
            "ver": "1.0",
            **tokens.claims,
        }
        expires_in = tokens.lifetime if tokens.expires_in is None else tokens.expires_in
        wishes = {
            "claims": claims,
            "size": tokens.size,
            "answer": {"expires_in": expires_in, "ext_expires_in": expires_in, **tokens.answer},
        }
        answer = self._backend("POST", "/token", {"x-token": json.dumps(wishes)}, "grant_type=client_credentials")
        assert isinstance(answer.body, Mapping)
        with self._lock:
            self.issued.append(str(answer.body["access_token"]))
        return answer

    def _backend(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: str | None = None
    ) -> Answer:
        connection = http.client.HTTPSConnection(_HOST, self._backend_port, timeout=_PATIENCE, context=self._trust)
        form = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
        with contextlib.closing(connection):
            connection.request(method, path, body, {**(headers or {}), **form})
            response = connection.getresponse()
            return Answer(response.status, json.loads(response.read()))


_THUMBPRINTS = {"x5t#S256": hashes.SHA256(), "x5t": hashes.SHA1()}
_TENANT_PATHS = ("/v2.0/.well-known/openid-configuration", "/discovery/v2.0/keys", "/oauth2/v2.0/token")


class _Listener(socketserver.ThreadingTCPServer):
    """Threads that speak TLS; the handshake is in the thread, so a client that hangs there holds nobody else."""

    allow_reuse_address = True
    request_queue_size = 100

    def __init__(self, owner: OAuthServer, tls: ssl.SSLContext) -> None:
        super().__init__((_HOST, 0), _Handler)
        self.owner = owner
        self.ended = threading.Event()
        self._tls = tls
        self._open: set[ssl.SSLSocket] = set()
        self._lock = threading.Lock()

    def finish_request(self, request: Any, client_address: Any) -> None:
        # A client that leaves, or does not trust us, is what many tests are about.
        with (
            contextlib.suppress(OSError),
            self._tls.wrap_socket(request, server_side=True, do_handshake_on_connect=False) as sock,
        ):
            with self._lock:
                self._open.add(sock)
            try:
                if not self.ended.is_set():
                    sock.do_handshake()
                    super().finish_request(sock, client_address)
            finally:
                with self._lock:
                    self._open.discard(sock)

    def end(self) -> None:
        """End all connections, also those that stall."""
        self.ended.set()
        self.shutdown()
        with self._lock:
            for sock in self._open:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)
        self.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  its name there
        """Say nothing."""

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer, fault = self.server.owner._answer(self.command, self.path, headers, body)
        octets = _http(answer)
        match fault:
            case Stall():
                self.server.ended.wait()
                self.close_connection = True
            case Drop(after):
                self.wfile.write(octets[:after])
                self.close_connection = True
            case Drip(interval):
                for octet in octets:
                    if self.server.ended.wait(interval):
                        break
                    self.wfile.write(bytes([octet]))
            case _:
                self.wfile.write(octets)


def _http(answer: Answer) -> bytes:
    is_text = isinstance(answer.body, str)
    body = (answer.body if isinstance(answer.body, str) else json.dumps(dict(answer.body))).encode()
    headers = {
        "Content-Type": "text/html; charset=utf-8" if is_text else "application/json; charset=utf-8",
        "Content-Length": str(len(body)),
        "Cache-Control": "no-store",
        **answer.headers,
    }
    lines = [f"HTTP/1.1 {answer.status} {http.client.responses.get(answer.status, '')}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _unsigned(token: str) -> dict[str, Any]:
    """Return header and claims of a JWT in one mapping; nothing if it is none."""
    try:
        head, claims, _ = token.split(".")
        return {**json.loads(_decoded(head)), **json.loads(_decoded(claims))}
    except ValueError:
        return {}


def _is_signed(assertion: str, certificate: x509.Certificate) -> bool:
    """Return True if the assertion names the certificate and bears its signature."""
    key = certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    header = _unsigned(assertion)
    # MSAL leaves the padding on.
    if not any(
        header.get(name, "").rstrip("=") == _encoded(certificate.fingerprint(kind))
        for name, kind in _THUMBPRINTS.items()
    ):
        return False
    signed, _, signature = assertion.rpartition(".")
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), hashes.SHA256.digest_size)
    try:
        key.verify(
            _decoded(signature),
            signed.encode(),
            pss if header["alg"] == "PS256" else padding.PKCS1v15(),
            hashes.SHA256(),
        )
    except (InvalidSignature, binascii.Error):
        return False
    return True


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _encoded(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
