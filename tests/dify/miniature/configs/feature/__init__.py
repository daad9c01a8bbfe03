from pydantic import Field
from pydantic_settings import BaseSettings


class LoggingConfig(BaseSettings):
    LOG_LEVEL: str = Field(description="Lowest level that is logged", default="INFO")


class CeleryConfig(BaseSettings):
    CELERY_BROKER_URL: str | None = Field(description="URL of the broker", default=None)
    CELERY_VISIBILITY_TIMEOUT: int = Field(description="Seconds until a lost task is given to others", default=3600)


class MailConfig(BaseSettings):
    MAIL_TYPE: str | None = Field(description="Provider of mail: smtp, resend or sendGrid", default=None)
    MAIL_DEFAULT_SEND_FROM: str | None = Field(description="Sender of mails that name none", default=None)
    RESEND_API_KEY: str | None = Field(description="Key of Resend", default=None)
    RESEND_API_URL: str | None = Field(description="Address of Resend", default=None)
    SMTP_SERVER: str | None = Field(description="Host of the SMTP server", default=None)
    SMTP_PORT: int | None = Field(description="Port of the SMTP server", default=465)
    SMTP_USERNAME: str | None = Field(description="User name", default=None)
    SMTP_PASSWORD: str | None = Field(description="Password", default=None)
    SMTP_USE_TLS: bool = Field(description="Encrypt", default=False)
    SMTP_OPPORTUNISTIC_TLS: bool = Field(description="Begin with STARTTLS", default=False)
    SMTP_LOCAL_HOSTNAME: str | None = Field(description="Name for EHLO", default=None)
    SENDGRID_API_KEY: str | None = Field(description="Key of SendGrid", default=None)
