"""What a login with a token meets: no token, or one that the server does not take. Then the general rules of SMTP."""

from postroom import Rule
from postroom_http.rules import on_the_way
from postroom_smtp.microsoft import RULES as MICROSOFT
from postroom_smtp.rules import RULES as SMTP
from postroom_smtp_oauth2.aadsts import RULES as AADSTS

_FLOW = "https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow"
_ERRORS = "https://www.rfc-editor.org/rfc/rfc6749#section-5.2"
_LOGIN = (
    "https://learn.microsoft.com/exchange/client-developer/legacy-protocols/"
    "how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth"
)
_BEARER = "https://www.rfc-editor.org/rfc/rfc7628#section-3"
_BEARER_SYNTAX = "https://www.rfc-editor.org/rfc/rfc6750#section-2.1"
_REACH = "Check {oauth2_authority}, and that this host may reach it"

_TOKEN = (
    Rule(
        meaning="The identity service holds us back", remedy="Wait", source=_ERRORS,
        stage="token", code="429",
    ),
    Rule(
        meaning="The identity service is in trouble", remedy="Wait, and try again", source=_ERRORS,
        stage="token", code="5xx",
    ),
    Rule(
        meaning="What answers sends us somewhere else: a captive portal, or another address",
        remedy="It redirects: set {oauth2_authority} to where the service is", source=_FLOW,
        stage="token", code="3xx",
    ),
    Rule(
        meaning="A captive portal or a proxy answers in the place of the identity service",
        remedy="Something on the way may answer in its place: check {oauth2_authority} and proxies", source=_FLOW,
        stage="token", text="something that is not a token",
    ),
    Rule(
        meaning="The identity service does not answer: a firewall or a proxy is in between", remedy=_REACH,
        source=_FLOW, stage="token", text=("did not answer in time", "not in time"),
    ),
    Rule(
        meaning="This host cannot reach the identity service", remedy=_REACH, source=_FLOW,
        stage="token", text=("cannot reach", "cannot send the whole request to", "was lost before it answered"),
    ),
    Rule(
        meaning="What answers is no identity service that we know", remedy="Check {oauth2_authority}", source=_FLOW,
        stage="token", text="the identity service gave no token",
    ),
    Rule(
        meaning="What the source of tokens gives is no token, or has something around it",
        remedy="Have the source give the token alone: strip the line end of a file", source=_BEARER_SYNTAX,
        stage="token", text="the source of tokens gave what is no token",
    ),
)  # fmt: skip

REFUSED = Rule(
    meaning="The server does not take the token: its audience, its role, a permission, or the user name is wrong",
    remedy="The token, or what its application may do, does not suffice: postroom doctor names what is missing",
    source=_LOGIN, code="535",
)  # fmt: skip
"""Servers say the same to all of it, so who has the token at hand looks into that."""

_OFFER = (
    Rule(
        meaning="The connection is in plain text, where no token goes", remedy="Set {use_tls}=true",
        source=_BEARER, stage="auth", text="so no token is sent",
    ),
    Rule(
        meaning="The server takes no token",
        remedy="Check {server}, and that the service has OAuth2 switched on; {auth_type}=basic uses a password",
        source=_LOGIN, stage="auth", text="offers no login with a token",
    ),
    Rule(
        meaning="The server offers no login on this port",
        remedy="Check {server}, and that the service has OAuth2 switched on; {auth_type}=basic uses a password",
        source=_LOGIN, stage="auth", text="offers no login",
    ),
)  # fmt: skip

RULES: tuple[Rule, ...] = (
    *AADSTS,
    *on_the_way("token", api_url="oauth2_authority", ca_file="oauth2_ca_file"),
    *_TOKEN,
    *_OFFER,
    *MICROSOFT,
    REFUSED,
    *SMTP,
)
