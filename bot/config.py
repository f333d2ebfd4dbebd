"""Settings from the environment or `.env`, prefix SMILELINE_. Each secret may also come from a file: SMILELINE_..._FILE."""

import os
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

SECRETS = ("telegram_token", "telegram_secret", "line_token", "line_secret", "data_key", "database_url")


class ConfigError(Exception):
    """The settings cannot work. The message names the setting, what came (never a secret), what is allowed, what to do."""


class Settings(BaseSettings):
    """Every setting; the README's table is compared with this class by a test."""

    model_config = SettingsConfigDict(env_prefix="SMILELINE_", env_file=".env", extra="ignore")

    telegram_token: SecretStr | None = Field(None, description="Token of the Telegram bot, from @BotFather")
    telegram_api_url: str = Field("https://api.telegram.org", description="Telegram's Bot API server")
    telegram_mode: Literal["polling", "webhook"] = Field(
        "polling", description="How Telegram's updates come in"
    )
    telegram_secret: SecretStr | None = Field(
        None, description="Secret that Telegram sends with each webhook call; made from the token when unset"
    )
    line_token: SecretStr | None = Field(None, description="LINE channel access token")
    line_secret: SecretStr | None = Field(None, description="LINE channel secret, for webhook signatures")
    line_api_url: str = Field("https://api.line.me", description="LINE's Messaging API server")
    line_data_url: str | None = Field(
        None,
        description="LINE's server of pictures; LINE's own, or `SMILELINE_LINE_API_URL` where that is set",
    )
    public_url: str | None = Field(
        None, description="Address under which the webhooks are reached from outside, https://..."
    )
    database_url: SecretStr = Field(
        SecretStr("sqlite:///data/smileline.db"),
        description="SQLite file or postgresql+psycopg://user:password@host/name",
    )
    faq: Path = Field(Path("faq.yaml"), description="The staff's FAQ file")
    labelled: Path = Field(
        Path("tests/eval"),
        description="Folder of labelled questions (*.jsonl); the staff page shows what an edit would change for them",
    )
    staff_chat: int | None = Field(None, description="Telegram chat id where staff get alerts")
    staff_second_chat: int | None = Field(
        None, description="Telegram chat id of a second contact, told when nobody has read an alert in time"
    )
    http: str = Field("127.0.0.1:8080", description="Address and port of the HTTP server")
    data_key: SecretStr | None = Field(
        None, description="Key that encrypts personal data at rest; made and kept in data/data.key when unset"
    )
    data_dir: Path = Field(Path("data"), description="Folder of the database, key and caches")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="How much is logged")

    @model_validator(mode="before")
    @classmethod
    def _secrets_from_files(cls, values: dict[str, Any]) -> dict[str, Any]:
        for name in SECRETS:
            path = os.environ.get(f"SMILELINE_{name.upper()}_FILE")
            if path and not values.get(name):
                try:
                    values[name] = Path(path).read_text(encoding="utf-8").strip()
                except OSError as err:
                    raise ValueError(
                        f"SMILELINE_{name.upper()}_FILE: {path} cannot be read ({err.strerror})"
                    ) from err
        return {key: value for key, value in values.items() if value != ""}

    @field_validator("http")
    @classmethod
    def _host_and_port(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if not host or not port.isdigit() or not 0 <= int(port) <= 65535:
            raise ValueError(f'"{value}" is not an address and port such as 127.0.0.1:8080')
        return value

    @field_validator("public_url")
    @classmethod
    def _https(cls, value: str | None) -> str | None:
        if value and not value.startswith(("https://", "http://127.0.0.1", "http://localhost")):
            raise ValueError(f'"{value}" must start with https://')
        return value.rstrip("/") if value else value

    @model_validator(mode="after")
    def _together(self) -> "Settings":
        if self.telegram_mode == "webhook" and self.telegram_token and not self.public_url:
            raise ValueError(
                "SMILELINE_TELEGRAM_MODE=webhook needs SMILELINE_PUBLIC_URL; set it or use polling"
            )
        if bool(self.line_token) != bool(self.line_secret):
            raise ValueError(
                "LINE needs both SMILELINE_LINE_TOKEN and SMILELINE_LINE_SECRET; one of them is missing"
            )
        return self

    @cached_property
    def host(self) -> str:
        return self.http.rpartition(":")[0].strip("[]")

    @cached_property
    def port(self) -> int:
        return int(self.http.rpartition(":")[2])


def load_settings() -> Settings:
    """Settings from the environment. Raises ConfigError with every problem at once."""
    try:
        return Settings()
    except ValidationError as err:
        lines = []
        for item in err.errors(include_input=False, include_url=False):
            name = f"SMILELINE_{str(item['loc'][0]).upper()}: " if item["loc"] else ""
            lines.append(f"{name}{item['msg'].removeprefix('Value error, ')}")
        raise ConfigError("The settings cannot be used:\n  " + "\n  ".join(lines)) from None
