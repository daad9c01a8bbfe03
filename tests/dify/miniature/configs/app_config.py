from pydantic_settings import SettingsConfigDict

from configs.feature import CeleryConfig, LoggingConfig, MailConfig


class DifyConfig(LoggingConfig, CeleryConfig, MailConfig):
    model_config = SettingsConfigDict(env_file=".env", env_file_encoding="utf-8", extra="ignore")
