"""The rules of SMTP: each reply and each broken connection has its meaning and its remedy, and no rule is hidden."""

import re
from collections.abc import Callable

import pytest

from postroom import (
    MailAuthError,
    MailConnectionError,
    MailRateLimitError,
    MailRecipientsError,
    MailRejectedError,
    MailSendError,
    MailTimeoutError,
    Provider,
    Refusal,
    Rule,
    Symptom,
    find_rule,
)
from postroom_smtp.failures import Stage, from_reply
from postroom_smtp.replies import Reply
from postroom_smtp_basic import plugin as basic
from postroom_smtp_oauth2 import plugin as oauth2
from postroom_testing import Certificates
from postroom_testing.smtp import SmtpServer
from smtp_checks import PASSWORD, USER, error_of

Start = Callable[..., SmtpServer]

BASIC, OAUTH2 = basic.postroom_provider(), oauth2.postroom_provider()
PROVIDERS = {"smtp-basic": BASIC, "smtp-oauth2": OAUTH2}
EACH_RULE = [
    pytest.param(each, rule, id=f"{each.name}-{n}") for each in PROVIDERS.values() for n, rule in enumerate(each.rules)
]
TLS_ON = "SMTP_USE_TLS=true and SMTP_OPPORTUNISTIC_TLS=true"


def refused(stage: str, said: str) -> MailSendError:
    """Return the error that a reply becomes, as a message would raise it."""
    code, text = said.split(" ", 1)
    reply = Reply(int(code), (text,))
    if stage != "rcpt" or reply.code == 421:
        return from_reply(reply, Stage(stage), "mail.example.com:587")
    refusal = Refusal(reply.code, reply.enhanced_code, reply.text, reply.transient)
    said = f"mail.example.com:587 refused every recipient: ada@example.com ({reply.code} {reply.text})"
    return MailRecipientsError(said, refused={"ada@example.com": refusal}, stage=stage)


def told(provider: Provider, error: MailSendError) -> Rule:
    """Return the rule that an error falls under."""
    found = provider.diagnose(error)
    assert found is not None, str(error)
    return found


_GONE = "Wait some minutes"
# Of smtp.md D.2: the step, the reply, words of the meaning, words of the remedy.
REPLIES: list[tuple[str, str, str, str]] = [
    ("greeting", "421 4.3.2 closing", "closes the connection", _GONE),
    ("rcpt", "421 closing", "closes the connection", _GONE),
    ("final", "421 4.7.0 slow down", "holds us back", "send less"),
    ("mail", "432 too many", "too busy", "send less"),
    ("auth", "432 4.7.12 transition", "once in the clear", "PLAIN over TLS"),
    ("rcpt", "450 later", "greylisting", _GONE),
    ("rcpt", "450 4.2.1 busy", "mailbox is busy", _GONE),
    ("mail", "450 later", "cannot take the message now", _GONE),
    ("final", "451 local error", "cannot take the message now", _GONE),
    ("rcpt", "451 4.7.1 greylisted", "has not seen us before", "send less"),
    ("rcpt", "452 4.5.3 too many recipients", "Too many recipients", "Split the list"),
    ("mail", "452 4.3.1 out of room", "out of room", _GONE),
    ("rcpt", "452 4.2.2 mailbox full", "mailbox is full", "emptied"),
    ("starttls", "454 4.7.0 TLS not available", "cannot begin TLS now", _GONE),
    ("starttls", "454 not now", "cannot begin TLS now", _GONE),
    ("auth", "454 4.7.0 Temporary authentication failure", "cannot check the login now", _GONE),
    ("mail", "455 parameters", "cannot take the message now", _GONE),
    ("mail", "458 queue", "cannot take the message now", _GONE),
    ("mail", "459 queue", "cannot take the message now", _GONE),
    ("starttls", "500 what?", "does not know a command", "firewall"),
    ("data", "502 what?", "does not know a command", "firewall"),
    ("data", "503 5.5.1 order", "does not know a command", "firewall"),
    ("auth", "504 5.5.4 mechanism", "does not know this kind of login", "SMTP_AUTH_TYPE"),
    ("greeting", "521 no mail", "takes no mail at all", "SMTP_SERVER"),
    ("mail", "521 no mail", "takes no mail at all", "SMTP_SERVER"),
    ("rcpt", "556 no mail there", "recipient takes no mail", "recipient's address"),
    ("mail", "530 5.7.0 Authentication required", "wants a login", "SMTP_USERNAME"),
    ("mail", "530 5.7.0 Must issue a STARTTLS command first", "wants TLS", TLS_ON),
    ("ehlo", "550 who?", "introduce ourselves", "SMTP_LOCAL_HOSTNAME"),
    ("greeting", "554 no", "turns this host away", "SMTP_PORT=587"),
    ("mail", "550 no", "mail from this sender", "MAIL_DEFAULT_SEND_FROM"),
    ("mail", "551 no", "mail from this sender", "MAIL_DEFAULT_SEND_FROM"),
    ("mail", "553 5.7.1 not owned by user", "mail from this sender", "MAIL_DEFAULT_SEND_FROM"),
    ("rcpt", "550 no", "mail for this recipient", "recipient's address"),
    ("rcpt", "551 no", "mail for this recipient", "recipient's address"),
    ("rcpt", "553 no", "mail for this recipient", "recipient's address"),
    ("rcpt", "550 5.1.1 no such user", "no such mailbox", "recipient's address"),
    ("rcpt", "550 5.1.2 no such domain", "no such mail domain", "recipient's address"),
    ("rcpt", "550 5.2.1 off", "takes no mail now", "another way"),
    ("rcpt", "554 5.7.1 <ada@example.com>: Relay access denied", "its own users only", "allowed to relay"),
    ("rcpt", "550 5.7.1 Relaying denied", "its own users only", "allowed to relay"),
    ("rcpt", "550 5.7.1 blocked by a list", "policy", "SPF, DKIM and DMARC"),
    ("final", "550 spam", "does not take the message", "Ask whoever runs the server"),
    ("final", "550 5.7.1 spam", "policy", "SPF, DKIM and DMARC"),
    ("final", "550 5.7.26 unauthenticated", "neither SPF nor DKIM", "postroom lint --dns"),
    ("mail", "552 message size exceeds fixed maximum message size", "larger than the server takes", "Send less"),
    ("mail", "552 5.3.4 too big", "larger than the server takes", "Send less"),
    ("rcpt", "552 5.3.4 too big", "larger than the server takes", "Send less"),
    ("final", "552 too big", "larger than the server takes", "Send less"),
    ("rcpt", "552 too many", "Too many recipients", "Split the list"),
    ("rcpt", "552 5.2.2 full", "mailbox is full", "emptied"),
    ("final", "554 5.2.2 full", "mailbox is full", "emptied"),
    ("data", "554 no", "does not take the message", "Ask whoever runs the server"),
    ("final", "571 no", "does not take the message", "Ask whoever runs the server"),
    ("final", "599 no", "does not take the message", "Ask whoever runs the server"),
    # The enhanced code decides where the two disagree.
    ("final", "550 4.3.0 later", "cannot take the message now", _GONE),
    ("final", "451 5.7.1 never", "policy", "SPF, DKIM and DMARC"),
]
# Of a login: what a password meets, and what a token meets.
LOGINS: list[tuple[str, tuple[str, str], tuple[str, str]]] = [
    ("535 5.7.8 no", ("user name and the password", "SMTP_PASSWORD"), ("does not take the token", "postroom doctor")),
    ("535 5.7.3 Authentication unsuccessful", ("user name and the password", "SMTP_PASSWORD"),
     ("does not take the token", "postroom doctor")),
    ("534 5.7.14 by browser", ("this kind of login for this account", "made for applications"),
     ("this kind of login for this account", "Ask for the kind")),
    ("538 encrypt first", ("over TLS only", TLS_ON), ("over TLS only", TLS_ON)),
    ("550 no", ("user name and the password", "SMTP_PASSWORD"), ("does not take the login", "SMTP_USERNAME")),
    ("503 5.5.1 no", ("user name and the password", "SMTP_PASSWORD"), ("does not take the login", "SMTP_USERNAME")),
]  # fmt: skip
_PASSWORDS_OFF = ("Passwords are switched off", "SMTP_AUTH_TYPE=oauth2")
_SEND_AS = ("may not send as this sender", "-AccessRights SendAs")
# Of microsoft365.md A.5, for both.
MICROSOFT: list[tuple[str, str, str, str]] = [
    ("auth", "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.",
     "off for the tenant", "Set-TransportConfig"),
    ("auth", "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox.",
     "off for the mailbox", "Set-CASMailbox"),
    ("auth", "535 5.7.139 Authentication unsuccessful, user is locked by your organization's security defaults policy.",
     "security defaults", "conditional access"),
    ("auth", "535 5.7.139 Authentication unsuccessful, the request did not meet the criteria to be authenticated.",
     "conditional access policy", "Set-CASMailbox"),
    ("auth", "535 5.7.139 Authentication unsuccessful, basic authentication is disabled.", *_PASSWORDS_OFF),
    ("auth", "550 5.7.30 Basic authentication is not supported for Client Submission",
     "no passwords any more", "SMTP_AUTH_TYPE=oauth2"),
    ("mail", "530 5.7.57 Client not authenticated to send mail.", "Nobody has logged in", "port 587 with STARTTLS"),
    ("mail", "550 5.7.60 SMTP; Client does not have permissions to send as this sender", *_SEND_AS),
    ("final", "550 5.7.60 SMTP; Client does not have permissions to send as this sender", *_SEND_AS),
    ("final", "554 5.2.252 SendAsDenied; a@example.com not allowed to send as b@example.com", *_SEND_AS),
    ("final", "554 5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied; x", *_SEND_AS),
    ("final", "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; x", "10000", "Wait a day"),
    ("mail", "432 4.3.2 Concurrent connections limit exceeded.", "Too many connections", "3 connections"),
    ("auth", "454 4.7.0 Temporary authentication failure", "cannot check the login now", _GONE),
    ("mail", "421 4.3.2 Service not available", "closes the connection", _GONE),
    ("mail", "451 4.7.500 Server busy. Please try again later", "holds us back", "send less"),
    ("rcpt", "550 5.5.105 External sending is not supported for High Volume Email accounts",
     "inside the organisation only", "another account"),
]  # fmt: skip
# Of dify.md section 6, by the number of the issue, and other services that people send by; a password's.
STORIES: list[tuple[str, str, str, str]] = [
    ("ehlo", "550 5.7.1 Invalid credentials for relay [203.0.113.8]. The IP address you've registered",
     "Google's relay does not know", "SMTP_LOCAL_HOSTNAME"),  # 30957
    ("mail", "550 5.7.1 Invalid credentials for relay [203.0.113.8]", "Google's relay does not know",
     "SMTP_LOCAL_HOSTNAME"),  # 30957
    ("ehlo", "421 4.7.0 Try again later, closing connection. (EHLO) a1", "Google's relay", "SMTP_LOCAL_HOSTNAME"),
    ("mail", "501 Mail from address must be same as authorization user.", "QQ sends",
     "MAIL_DEFAULT_SEND_FROM to the address that logs in (SMTP_USERNAME)"),  # 10466
    ("mail", "553 Mail from must equal authorized user", "account that logs in only",
     "MAIL_DEFAULT_SEND_FROM to the address that logs in (SMTP_USERNAME)"),  # 20107
    ("auth", "535 Login Fail. Please enter your authorization code to login. More information", "authorization code",
     "authorization code"),  # 20739
    ("auth", "535 Login fail. Account is abnormal, service is not open, password is incorrect, login frequency limited",
     "SMTP is not switched on", "authorization code"),  # cursor-auto-free 294
    ("auth", "535 Login fail. Please using weixin token", "Tencent Exmail wants", "password for clients"),
    ("auth", "526 Authentication failure[0]", "Alibaba Mail does not take", "password that was made for them"),
    ("auth", "550 User has no permission", "SMTP switched off", "Switch SMTP on"),  # 12306 62
    ("mail", '436 "MAIL FROM" doesn\'t conform with authentication [@sm0] (Auth Account:a@x|Mail Account:b@x)',
     "account that logs in only", "MAIL_DEFAULT_SEND_FROM to the address that logs in"),
    ("mail", "440 mail from account doesn't conform with authentication", "account that logs in only",
     "MAIL_DEFAULT_SEND_FROM to the address that logs in"),
    ("final", "554 DT:SPM 163 smtp9,DMCowABX,please see http://mail.163.com/help/help_spam_16.htm", "for spam",
     "Change subject and text"),
    ("auth", "534 5.7.14 Please log in via your web browser and then try again.", "Google wants", "apppasswords"),
    ("auth", "535 5.7.8 Username and Password not accepted. Go to https://support.google.com/mail/?p=BadCredentials",
     "Google does not take", "apppasswords"),
    ("auth", "534 5.7.9 Application-specific password required.", "Google wants a password", "apppasswords"),
    ("final", "550 5.4.5 Daily user sending limit exceeded.", "daily quota", "tomorrow"),
    ("auth", "535 5.7.139 Authentication unsuccessful, the user credentials were incorrect.", "password is wrong",
     "SMTP_PASSWORD"),
]  # fmt: skip


# Who refuses a password is told by the host, since the words are the same everywhere.
HOSTS = [
    ("smtp.gmail.com", "made for applications", "app password"),
    ("smtp-relay.gmail.com", "made for applications", "app password"),
    ("smtp.qq.com", "QQ wants an authorization code", "authorization code"),
    ("SMTP.QQ.com.", "QQ wants an authorization code", "authorization code"),
    ("smtp.exmail.qq.com", "Tencent Exmail wants a password for clients", "password for clients"),
    ("hwsmtp.exmail.qq.com", "Tencent Exmail wants a password for clients", "password for clients"),
    ("smtp.163.com", "163.com wants an authorization code", "authorization code"),
    ("smtp.qiye.163.com", "163.com wants an authorization code", "authorization code"),
    ("smtp.126.com", "126.com wants an authorization code", "authorization code"),
    ("smtp.yeah.net", "Yeah.net wants an authorization code", "authorization code"),
    ("smtp.aliyun.com", "Alibaba Mail does not take the login", "SMTP_USERNAME to the whole address"),
    ("smtp.qiye.aliyun.com", "Alibaba Mail does not take the login", "SMTP_USERNAME to the whole address"),
    ("smtp.mxhichina.com", "Alibaba Mail does not take the login", "SMTP_USERNAME to the whole address"),
    ("smtpdm.aliyun.com", "Alibaba DirectMail takes the sender's address", "SMTP password of the sender's address"),
    ("smtpdm-ap-southeast-1.aliyun.com", "Alibaba DirectMail", "SMTP password of the sender's address"),
    ("smtp.qcloudmail.com", "Tencent Cloud SES takes the sender's address", "SMTP password of the sender's address"),
    ("gz-smtp.qcloudmail.com", "Tencent Cloud SES", "SMTP password of the sender's address"),
    ("smtp.feishu.cn", "Feishu or Lark wants a password for IMAP and SMTP", "third-party clients"),
    ("smtp.larksuite.com", "Feishu or Lark wants a password for IMAP and SMTP", "third-party clients"),
    ("smtp.sendcloud.net", "SendCloud takes an API_USER", "SMTP_USERNAME to an API_USER"),
    ("smtp2.sendcloud.net", "SendCloud takes an API_USER", "API_KEY"),
    ("email-smtp.eu-west-1.amazonaws.com", "credentials of its own for SMTP", "SMTP credentials for this region"),
    ("smtp.sendgrid.net", "one user name for all", "SMTP_USERNAME=apikey"),
    ("smtp.resend.com", "one user name for all", "SMTP_USERNAME=resend"),
    *(
        (host, "the user name and the password", "SMTP_USERNAME and SMTP_PASSWORD")
        for host in (
            "mail.example.com",
            "smtp.gmail.com.example.com",
            "notsmtp.qq.com",
            "qq.com",
            "ec2-203-0-113-9.compute.amazonaws.com",
        )
    ),
]


@pytest.mark.parametrize(("host", "meaning", "remedy"), HOSTS)
def test_a_service_is_told_by_its_host(host: str, meaning: str, remedy: str) -> None:
    """It wants another secret than people think."""
    reply = Reply(535, ("5.7.8 Authentication failed",))
    asserted(told(BASIC, from_reply(reply, Stage.AUTH, f"{host}:587")), meaning, remedy)


VENDORS = re.compile(
    r"\b(Google|Gmail|Microsoft|Exchange|QQ|Tencent|163\.com|126\.com|Yeah\.net|NetEase|Alibaba|Feishu|Lark|SendCloud|Amazon"
    r"|SES|SendGrid|Resend)\b"
)
# https://www.iana.org/assignments/smtp-enhanced-status-codes has none of these: one server only says them.
OF_ONE_SERVER = {"5.2.252", "5.5.105", "5.7.57", "5.7.60", "5.7.139"}


@pytest.mark.parametrize(("provider", "rule"), EACH_RULE)
def test_a_rule_for_a_service_holds_for_nobody_else(provider: Provider, rule: Rule) -> None:
    """One that names a service asks for its hosts, for words, or for an enhanced code that nobody else has."""
    if VENDORS.search(f"{rule.meaning} {rule.remedy}") or {"oauth2", "basic"} & {*re.findall(r"=(\w+)", rule.remedy)}:
        assert rule.host or rule.text or rule.enhanced_code in OF_ONE_SERVER, provider.name


# What these codes mean by their registration, from any host: RFC 3463, 4954, 7372, 7505, 8689.
OF_NOBODY: list[tuple[str, str, str, type[MailSendError]]] = [
    ("mail", "550 5.7.30 REQUIRETLS support required", "TLS all the way (REQUIRETLS)", MailRejectedError),
    ("auth", "534 5.7.9 Authentication mechanism is too weak", "this kind of login for this account", MailAuthError),
    ("final", "550 5.4.5 Mail system congestion", "congested", MailRejectedError),
    ("greeting", "421 4.7.0 Too many connections", "holds us back", MailRateLimitError),
    ("mail", "432 4.3.2 Please retry later", "too busy for one more", MailRateLimitError),
    ("final", "554 5.2.0 no", "does not take the message", MailRejectedError),
    ("auth", "535 5.7.8 Bad credentials", "the user name and the password", MailAuthError),
    ("final", "550 5.7.23 SPF fail", "SPF does not allow", MailRejectedError),
    ("final", "550 5.7.20 DKIM", "no DKIM signature", MailRejectedError),
    ("mail", "550 5.7.25 rDNS", "no name that leads back", MailRejectedError),
    ("final", "550 5.7.27 null MX", "domain of the sender says that it takes no mail", MailRejectedError),
    ("auth", "525 5.7.13 disabled", "is disabled", MailAuthError),
    ("mail", "523 5.7.10 Encryption needed", "wants TLS first", MailRejectedError),
    ("rcpt", "556 5.1.10 null MX", "takes no mail", MailRejectedError),
]  # fmt: skip


@pytest.mark.parametrize(("stage", "said", "meaning", "kind"), OF_NOBODY)
def test_a_registered_code_means_what_it_is_registered_for(
    smtp_server: Start, stage: str, said: str, meaning: str, kind: type[MailSendError]
) -> None:
    """Over the wire, from a host that is no known service: neither class nor remedy are those of one."""
    moment = {"auth": "AUTH", "mail": "MAIL", "rcpt": "RCPT", "final": "."}.get(stage, stage)
    server = smtp_server({moment: f"{said}\r\n".encode()})
    error = error_of(server.settings(username=USER, password=PASSWORD, timeout=10))
    assert meaning in told(BASIC, error).meaning
    assert not VENDORS.search(error.remedy or "")
    assert type(error) is (MailRecipientsError if stage == "rcpt" else kind)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_reply_of_microsoft_is_known_by_its_host(provider: str) -> None:
    """Whatever its words are, and by the host that signs the reply where another name was asked for."""
    for peer, words in (
        ("smtp.office365.com:587", "5.7.30 New words"),
        ("relay.example.com:587", "5.7.30 New words [AM0PR01CA0001.eurprd01.PROD.OUTLOOK.COM 2026-11-30]"),
    ):
        error = from_reply(Reply(550, (words,)), Stage.AUTH, peer)
        assert isinstance(error, MailAuthError)
        asserted(told(PROVIDERS[provider], error), "no passwords any more", "SMTP_AUTH_TYPE=oauth2")


def test_words_in_gbk_are_told_by_the_address_in_them(smtp_server: Start) -> None:
    """QQ says in GBK to use an authorization code; of its words the address of its page can be read."""
    words = "535 Error: \u8bf7\u4f7f\u7528\u6388\u6743\u7801\u767b\u5f55\u3002\u8be6\u60c5\u8bf7\u770b: "
    page = "http://service.mail.qq.com/cgi-bin/help?subtype=1&&id=28&&no=1001256\r\n"
    server = smtp_server({"AUTH": f"{words}{page}".encode("gbk")})
    error = error_of(server.settings(username=USER, password=PASSWORD, timeout=10))
    asserted(told(BASIC, error), "QQ wants an authorization code", "Make an authorization code")
    assert "Make an authorization code" in error.remedy


def asserted(rule: Rule, meaning: str, remedy: str) -> None:
    """Assert that a rule says so."""
    assert (meaning in rule.meaning, remedy in rule.remedy) == (True, True), (rule.meaning, rule.remedy)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(("stage", "said", "meaning", "remedy"), [*REPLIES, *MICROSOFT])
def test_a_reply_is_told_by_its_code_and_its_step(
    provider: str, stage: str, said: str, meaning: str, remedy: str
) -> None:
    """Both providers say the same to what has nothing to do with how one logs in."""
    asserted(told(PROVIDERS[provider], refused(stage, said)), meaning, remedy)


@pytest.mark.parametrize(("said", "password", "token"), LOGINS)
def test_a_refused_login_is_told_by_what_it_was_tried_with(
    said: str, password: tuple[str, str], token: tuple[str, str]
) -> None:
    """A password is checked by its owner, a token by looking into it."""
    asserted(told(BASIC, refused("auth", said)), *password)
    asserted(told(OAUTH2, refused("auth", said)), *token)


@pytest.mark.parametrize(("stage", "said", "meaning", "remedy"), STORIES)
def test_what_users_have_met_has_its_own_words(stage: str, said: str, meaning: str, remedy: str) -> None:
    """Replies that say something else than they mean."""
    asserted(told(BASIC, refused(stage, said)), meaning, remedy)


def test_no_reply_that_refuses_is_without_a_remedy() -> None:
    """Whatever the code and the step."""
    for provider in PROVIDERS.values():
        for stage in Stage:
            for code in range(400, 600):
                rule = told(provider, from_reply(Reply(code, ("no",)), stage, "mail.example.com:25"))
                assert rule.remedy, (stage, code)


# Of microsoft365.md A.10: what the identity service says, and the words of meaning and remedy.
TOKENS: list[tuple[int, str, str, str]] = [
    (7000215, "Invalid client secret provided.", "secret is wrong", "SMTP_CLIENT_SECRET"),
    (7000222, "The provided client secret keys are expired.", "secret has expired", "SMTP_CLIENT_SECRET"),
    (700016, "Application was not found in the directory.", "does not know the application", "SMTP_CLIENT_ID"),
    (90002, "Tenant not found.", "no such tenant", "SMTP_TENANT_ID"),
    (900023, "Specified tenant identifier is neither.", "no tenant", "SMTP_TENANT_ID"),
    (700027, "The certificate is not registered.", "not the application's", "SMTP_CLIENT_CERTIFICATE"),
    (500011, "The resource principal was not found.", "what the token is for", "SMTP_OAUTH2_SCOPE"),
    (70011, "The provided scope is not valid.", "scope is malformed", "SMTP_OAUTH2_SCOPE"),
    (53003, "Blocked by Conditional Access.", "Conditional access", "exception"),
    (50126, "Invalid username or password.", "User name or password", "user name and password"),
    (700213, "No matching federated identity record.", "token's subject", "subject of the application"),
    (70021, "No matching federated identity record.", "matches the token", "issuer, subject and audience"),
    (50196, "A client request loop.", "too many equal requests", "Wait"),
    (90033, "A transient error has occurred.", "passing fault", "Wait"),
]


@pytest.mark.parametrize(("code", "words", "meaning", "remedy"), TOKENS)
def test_a_code_of_the_identity_service_is_told(code: int, words: str, meaning: str, remedy: str) -> None:
    """Its number in the text is what counts, whatever the HTTP status; a longer number is another."""
    for status in (400, 401, 503):
        error = MailSendError(
            f"login.microsoftonline.com gave no token: {status} AADSTS{code}: {words}", stage="token", code=status
        )
        asserted(told(OAUTH2, error), meaning, remedy)
    other = MailSendError(f"gave no token: 400 AADSTS{code}99: {words}", stage="token", code=400)
    rule = OAUTH2.diagnose(other)
    assert rule is None or meaning not in rule.meaning


@pytest.mark.parametrize("name", ["temporarily_unavailable", "server_error"])
def test_a_name_of_a_passing_fault_is_told(name: str) -> None:
    """The identity service has no number for them."""
    error = MailSendError(f"login.microsoftonline.com gave no token: 400 {name}", stage="token", code=400)
    asserted(told(OAUTH2, error), "cannot answer now", "Wait")


OFFERS: dict[str, tuple[str, str, str]] = {
    "11734": ("", "after TLS only", TLS_ON),  # 587 with both flags false: the login is offered behind STARTTLS
    "another": ("AUTH GSSAPI NTLM", "takes no password", "SMTP_AUTH_TYPE"),
}


@pytest.mark.parametrize("case", OFFERS)
def test_a_login_that_is_not_offered_is_told(smtp_server: Start, case: str) -> None:
    """A server that hides its login until TLS is the commonest of them."""
    offer, meaning, remedy = OFFERS[case]
    server = smtp_server(extensions=[offer] if offer else [])
    error = error_of(server.settings(username=USER, password=PASSWORD, timeout=10))
    asserted(told(BASIC, error), meaning, remedy)
    assert remedy in error.remedy


def test_no_login_behind_tls_is_told(smtp_server: Start, ca: Certificates) -> None:
    """A relay needs none (dify 2764, 19634, 12504)."""
    server = smtp_server(tls=ca.good, extensions=[])
    config = {"username": USER, "password": PASSWORD, "timeout": 10, "tls_mode": "starttls", "ca_file": ca.ca_file}
    error = error_of(server.settings(**config))
    asserted(told(BASIC, error), "no login on this port", "leave SMTP_USERNAME and SMTP_PASSWORD empty")


MODES: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    # 26529, 32338: a port that begins in plain text with the flags for the other kind
    "implicit at a plain port": (
        {"tls_mode": "implicit"},
        ("SMTP_USE_TLS=true", "SMTP_OPPORTUNISTIC_TLS=true", "SMTP_TLS_MODE=starttls"),
    ),
    # 21335: "STARTTLS extension not supported by server"
    "no starttls": ({"tls_mode": "starttls"}, ("Nothing was sent in plain text", "SMTP_TLS_MODE=none")),
}


@pytest.mark.parametrize("case", MODES)
def test_flags_the_wrong_way_round_name_the_right_ones(smtp_server: Start, case: str) -> None:
    """Users cannot map two switches to modes, so the remedy does."""
    config, remedies = MODES[case]
    error = error_of(smtp_server().settings(timeout=10, **config))
    for words in remedies:
        assert words in error.remedy


BROKEN: list[tuple[str, str, str, str]] = [
    ("dns", "cannot connect to x:25: temporary failure in name resolution", "no answer", "DNS of this host"),
    ("dns", "cannot connect to x:25: name or service not known", "Nobody knows", "SMTP_SERVER"),
    ("connect", "cannot connect to x:25: connection refused", "Nothing listens", "SMTP_PORT"),
    ("connect", "x:25 did not answer in time at the connection", "drops the packets", "587 or 465"),  # 4352
    ("connect", "none of 4 connections to x:25 became free in time", "pool", "SMTP_POOL_SIZE"),
    ("connect", "cannot connect to x:25: network is unreachable", "no way", "SMTP_SERVER and SMTP_PORT"),
    ("greeting", "x:25 did not answer in time at the greeting (tls=none)", "begins with TLS", "SMTP_TLS_MODE=implicit"),
    ("greeting", "x:25 did not answer in time at the greeting (tls=starttls)", "begins with TLS", "SMTP_USE_TLS=true"),
    ("greeting", "x:25 did not answer in time at the greeting (tls=implicit)", "in time", "SMTP_TIMEOUT"),
    ("tls", "x:25 did not answer in time at the TLS handshake (tls=implicit)", "as the settings say", "starttls"),
    ("mail", "x:25 did not answer in time at the sender", "in time", "SMTP_TIMEOUT"),
    ("mail", "x:25 failed at the sender: the server closed the connection", "ends the connection", "its log"),
    ("ehlo", "x:25 failed at EHLO: not an SMTP reply: 'hm'", "as it should", "SMTP_SERVER and SMTP_PORT"),
    ("greeting", "x:25 failed at the greeting: not an SMTP reply: 'HTTP/1.1 400'", "web server", "587 or 465"),
    ("starttls", "x:25 failed at STARTTLS: text follows the reply to STARTTLS, perhaps injected", "words", "465"),
    ("tls", "x:25 failed at the TLS handshake: TLS failed (WRONG_VERSION_NUMBER) (tls=implicit)", "plain", "starttls"),
    ("tls", "x:25 failed at the TLS handshake: TLS failed (UNSUPPORTED_PROTOCOL) (tls=implicit)", "1.2", "updated"),
    ("tls", "x: TLS failed (TLSV1_ALERT_PROTOCOL_VERSION) (tls=starttls)", "1.2", "updated"),
    ("tls", "x: TLS failed (NO_SHARED_CIPHER) (tls=starttls)", "cannot be agreed on", "which TLS it takes"),
]


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(("stage", "reason", "meaning", "remedy"), BROKEN)
def test_a_connection_that_fails_is_told(provider: str, stage: str, reason: str, meaning: str, remedy: str) -> None:
    """By the words that we and the system have for it."""
    kind = MailTimeoutError if "in time" in reason else MailConnectionError
    asserted(told(PROVIDERS[provider], kind(reason, stage=stage)), meaning, remedy)


def exactly(rule: Rule) -> list[Symptom]:
    """Return failures with all that a rule asks for, and nothing else."""
    enhanced_code = None if rule.enhanced_code is None else re.sub("^x", "5", rule.enhanced_code).replace("x", "999")
    return [
        Symptom(
            text=" ".join(filter(None, (host and host.replace("*", "-x"), words))),
            stage=rule.stage,
            code=None if rule.code is None else int(rule.code.replace("x", "9")),
            enhanced_code=enhanced_code,
        )
        for words in rule.words or (None,)
        for host in rule.hosts or (None,)
    ]


@pytest.mark.parametrize(("provider", "rule"), EACH_RULE)
def test_a_rule_reads_as_one_line_and_names_what_there_is(provider: Provider, rule: Rule) -> None:
    """Its fields are settings of the provider, its source is an address, and core writes the full stop."""
    assert rule.fields <= provider.variables.keys()
    assert re.fullmatch(r"https?://[^\s/]+/?\S*", rule.source)
    shown = rule.named(provider.variables)
    for text in (shown.meaning, shown.remedy):
        assert text == text.strip()
        assert text
        assert text.isprintable()
        assert text[-1] not in ".!"
        assert text[0].isupper() or text[0].isdigit() or text.startswith(("SMTP_", "MAIL_"))
        assert "{" not in text


COVERED = {
    # A provider says more exactly than the general rules what it has logged in with.
    "smtp-basic": [
        ("The server does not take the login", None, "535"),
        ("The server does not take the login", "auth", "5xx"),
    ],
    "smtp-oauth2": [("The server does not take the login", None, "535")],
}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_no_rule_is_hidden_by_one_before_it(provider: str) -> None:
    """What a rule is about is not taken for something else; the few that are covered on purpose are known."""
    rules = PROVIDERS[provider].rules
    hidden = [rule for rule in rules if any(find_rule(rules, each) != rule for each in exactly(rule))]
    assert [(rule.meaning, rule.stage, rule.code) for rule in hidden] == COVERED[provider]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_codes_and_stages_of_rules_are_such(provider: str) -> None:
    """A slip in a condition would be a rule that never holds."""
    for rule in PROVIDERS[provider].rules:
        assert rule.stage in {None, "token", *Stage}
        assert rule.code is None or re.fullmatch(r"[2345][0-9x]{2}", rule.code)
        assert rule.enhanced_code is None or re.fullmatch(r"[45x]\.(\d+|x)\.(\d+|x)", rule.enhanced_code)
        if rule.code and rule.enhanced_code and "x" in rule.code:
            assert rule.code[0] == rule.enhanced_code[0]
