import smtplib
from collections.abc import Mapping
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

from configs.app_config import DifyConfig


class SMTPClient:
    def __init__(self, config: DifyConfig) -> None:
        self._config = config

    def send(self, mail: Mapping[str, str]) -> None:
        config = self._config
        implicit = config.SMTP_USE_TLS and not config.SMTP_OPPORTUNISTIC_TLS
        connect = smtplib.SMTP_SSL if implicit else smtplib.SMTP
        with connect(config.SMTP_SERVER or "", config.SMTP_PORT or 465, timeout=10) as smtp:
            if config.SMTP_OPPORTUNISTIC_TLS:
                smtp.starttls()
            if config.SMTP_USERNAME and config.SMTP_PASSWORD:
                smtp.login(config.SMTP_USERNAME, config.SMTP_PASSWORD)
            message = MIMEMultipart()
            message["Subject"], message["From"], message["To"] = mail["subject"], mail["from"], mail["to"]
            message.attach(MIMEText(mail["html"], "html"))
            smtp.sendmail(mail["from"], mail["to"], message.as_string())
