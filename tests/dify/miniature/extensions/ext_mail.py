import logging

from configs import dify_config
from dify_app import DifyApp

logger = logging.getLogger(__name__)


class Mail:
    def __init__(self) -> None:
        self._client = None
        self._default_send_from: str | None = None

    def is_inited(self) -> bool:
        return self._client is not None

    def init_app(self, app: DifyApp) -> None:
        if not dify_config.MAIL_TYPE:
            logger.warning("MAIL_TYPE is not set")
            return
        if dify_config.MAIL_TYPE != "smtp":
            raise ValueError(f"Unsupported mail type {dify_config.MAIL_TYPE}")
        if not dify_config.SMTP_SERVER or not dify_config.SMTP_PORT:
            raise ValueError("SMTP_SERVER and SMTP_PORT are required for smtp mail type")
        if dify_config.SMTP_OPPORTUNISTIC_TLS and not dify_config.SMTP_USE_TLS:
            raise ValueError("SMTP_OPPORTUNISTIC_TLS is not supported without enabling SMTP_USE_TLS")

        from libs.smtp import SMTPClient

        self._default_send_from = dify_config.MAIL_DEFAULT_SEND_FROM
        self._client = SMTPClient(dify_config)

    def send(self, to: str, subject: str, html: str, from_: str | None = None) -> None:
        if self._client is None:
            raise ValueError("Mail client is not initialized")
        from_ = from_ or self._default_send_from
        for name, value in (("from", from_), ("to", to), ("subject", subject), ("html", html)):
            if not value:
                raise ValueError(f"mail {name} is not set")
        self._client.send({"from": from_, "to": to, "subject": subject, "html": html})


def is_enabled() -> bool:
    return dify_config.MAIL_TYPE is not None and dify_config.MAIL_TYPE != ""


def init_app(app: DifyApp) -> None:
    mail.init_app(app)


mail = Mail()
