"""Replies of mail services in China: most want another password than people think, and say so in words of their own.

QQ says it in GBK, of which its address remains readable: `535 Error: ... http://service.mail.qq.com/...`.
"""

from postroom import Rule
from postroom_smtp.reply_rules import either

_QQ = "https://service.mail.qq.com/cgi-bin/help?subtype=1&&id=28&&no=1001256"
_CODE = "Make an authorization code in the settings of the mailbox, and use it as the password"
_SAME = "Set {default_from} to the address that logs in ({username})"

_TENCENT = (
    Rule(
        meaning="QQ or Tencent Exmail does not take the login: SMTP is not switched on for the mailbox, the "
        "authorization code is wrong, or there were too many logins",
        remedy="Switch SMTP on in the settings of the mailbox, make a new authorization code there, and use it as the "
        "password; wait if it worked before",
        source="https://github.com/chengazhen/cursor-auto-free/issues/294",
        code="535", text="Account is abnormal, service is not open",
    ),
    *either(
        {"host": ("smtp.exmail.qq.com", "hwsmtp.exmail.qq.com")},
        {"text": ("service.exmail.qq.com", "Please using weixin token")},
        meaning="Tencent Exmail wants a password for clients in place of the account's password",
        remedy="Switch SMTP on in the settings of the mailbox, make a password for clients there, and log in with it",
        source="https://github.com/goharbor/harbor/issues/1271", code="535",
    ),
    *either(
        {"text": ("service.mail.qq.com", "Please enter your authorization code to login")},
        {"host": "smtp.qq.com"},
        meaning="QQ wants an authorization code in place of the account's password", remedy=_CODE,
        source=_QQ, code="535",
    ),
    Rule(
        meaning="QQ sends for the account that logs in only", remedy=_SAME,
        source="https://github.com/langgenius/dify/issues/10466",
        text="mail from address must be same as authorization user",
    ),
    Rule(
        meaning="Tencent Cloud SES takes the sender's address as the user name, and the SMTP password of that address",
        remedy="Set the SMTP password of the sender's address in the SES console, {username} to that address, and log "
        "in with both",
        source="https://tencentcloud.com/document/product/1084/44458",
        code="535", host=("smtp.qcloudmail.com", "gz-smtp.qcloudmail.com", "sg-smtp.qcloudmail.com"),
    ),
)  # fmt: skip

_NETEASE = (
    *(
        Rule(
            meaning=f"{name} wants an authorization code in place of the account's password", remedy=_CODE,
            source="https://github.com/langgenius/dify/issues/20107", code="535", host=name.lower(),
        )
        for name in ("163.com", "126.com", "Yeah.net")
    ),
    Rule(
        meaning="The mailbox has SMTP switched off, or wants an authorization code in place of the password",
        remedy=f"Switch SMTP on in the settings of the mailbox. {_CODE}",
        source="https://github.com/testerSunshine/12306/issues/62", stage="auth", code="550",
        text="User has no permission",
    ),
    Rule(
        meaning="NetEase (163.com, 126.com, yeah.net) takes the message for spam",
        remedy="Change subject and text, and send less at a time; its page says what each code means",
        source="https://mail.163.com/help/help_spam_16.htm", code="554", text="DT:SPM",
    ),
)  # fmt: skip

_OTHERS = (
    *either(
        {"code": "526"},
        {"code": "535"},
        meaning="Alibaba DirectMail takes the sender's address as the user name, and the SMTP password of that address",
        remedy="Set the SMTP password of the sender's address in the console of DirectMail, {username} to that "
        "address, and log in with both",
        source="https://www.alibabacloud.com/help/en/direct-mail/user-guide/send-emails-using-smtp",
        host="smtpdm*.aliyun.com",
    ),
    *either(
        {"code": "526", "text": "Authentication failure"},
        {"code": "535", "host": ("smtp.aliyun.com", "smtp.*.aliyun.com", "smtp.mxhichina.com")},
        meaning="Alibaba Mail does not take the login: the user name is not the whole address, the mailbox wants a "
        "password for clients, or third-party clients are switched off",
        remedy="Set {username} to the whole address, have third-party clients allowed, and log in with the password "
        "that was made for them",
        source="https://help.aliyun.com/zh/document_detail/602363.html",
    ),
    Rule(
        meaning="Feishu or Lark wants a password for IMAP and SMTP in place of the account's password",
        remedy="Make a password for third-party clients in the settings of the mailbox, and log in with it",
        source="https://github.com/twikoojs/twikoo/issues/740",
        code="535", host=("smtp.feishu.cn", "smtp.larksuite.com"),
    ),
    Rule(
        meaning="SendCloud takes an API_USER as the user name, and its API_KEY as the password",
        remedy="Set {username} to an API_USER of the domain that sends, and log in with its API_KEY",
        source="https://sendcloud.kf5.com/posts/view/20325/", code="535", host="smtp*.sendcloud.net",
    ),
)  # fmt: skip

_SENDER = Rule(
    meaning="The server sends for the account that logs in only", remedy=_SAME,
    source="https://github.com/langgenius/dify/issues/20107",
    text=(
        "mail from must equal authorized user",  # Coremail, which 163.com and many others run
        "doesn't conform with authentication",  # Alibaba's, by 436 and 440
    ),
)  # fmt: skip

CHINESE_SERVICES: tuple[Rule, ...] = (*_TENCENT, *_NETEASE, *_OTHERS, _SENDER)
"""What users have reported, and what the services' own pages say."""
