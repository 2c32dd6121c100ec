"""Settings read from environment variables, checked before anything else happens."""

import re
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import URL

_PLACEHOLDER = re.compile(
    r"change[-_ ]?(me|it)|replace[-_ ]?(me|this)|placeholder|password|secret|example|dummy|todo|tbd|fixme|x{3,}|"
    r"<.*>|\$\{.*\}|\{\{.*\}\}",
    re.IGNORECASE,
)


class ConfigurationError(Exception):
    """The environment does not describe a service that can start.

    `problems` has one line per variable, each beginning with the variable's name.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def _refuse_placeholder(value: SecretStr) -> SecretStr:
    if _PLACEHOLDER.fullmatch(value.get_secret_value().strip()):
        raise ValueError("is a placeholder; give the real value")
    return value


Secret = Annotated[SecretStr, AfterValidator(_refuse_placeholder)]
"""A secret setting: never printed, never defaulted, refused when it is a placeholder such as `changeme`."""


class _Environment(BaseSettings):
    # Shared by every mix of settings: the configuration of the last base wins, so all bases must have the same.
    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True, extra="ignore")


class ServiceSettings(_Environment):
    """What every service reads. An empty variable counts as unset."""

    host: str = "0.0.0.0"  # noqa: S104  a container listens on every address; NetworkPolicies decide who may call
    port: int = Field(default=8080, ge=1, le=65535)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    max_body_bytes: int = Field(default=1024 * 1024, gt=0)
    """Largest request body, in bytes; a larger one is answered with 413."""
    otel_exporter_otlp_endpoint: str | None = None
    """Base address of an OTLP/HTTP collector. Unset: trace ids are made and passed on, nothing is exported."""
    service_version: str | None = None
    """Of the image, which sets it. Unset: the package's own version."""
    service_revision: str | None = None
    """The commit that the image was built from, which sets it."""
    shutdown_drain_seconds: float = Field(default=3, ge=0)
    """After SIGTERM, how long to keep serving while readiness already answers 503."""
    shutdown_grace_seconds: int = Field(default=18, ge=1)
    """After that, how long requests in flight may take. Drain, grace and preStop together stay below the
    pod's terminationGracePeriodSeconds."""


class DatabaseSettings(_Environment):
    """Where a service's own PostgreSQL database is."""

    database_host: str
    database_port: int = Field(default=5432, ge=1, le=65535)
    database_name: str
    database_user: str
    database_password: Secret
    database_pool_size: int = Field(default=5, ge=1)
    database_pool_overflow: int = Field(default=5, ge=0)
    database_timeout_seconds: float = Field(default=5, gt=0)
    """Longest wait for a connection, and longest run of one statement."""

    @property
    def database_url(self) -> URL:
        """The address for SQLAlchemy; printing it masks the password."""
        return URL.create(
            "postgresql+psycopg",
            username=self.database_user,
            password=self.database_password.get_secret_value(),
            host=self.database_host,
            port=self.database_port,
            database=self.database_name,
        )


class MessagesSettings(_Environment):
    """Where RabbitMQ is."""

    rabbitmq_host: str
    rabbitmq_port: int = Field(default=5672, ge=1, le=65535)
    rabbitmq_user: str
    rabbitmq_password: Secret
    rabbitmq_vhost: str = "/"
    rabbitmq_timeout_seconds: float = Field(default=5, gt=0)
    """Longest wait for a connection, and for RabbitMQ's word that it has an event."""


SettingsT = TypeVar("SettingsT", bound=BaseSettings)


def load_settings(kind: type[SettingsT]) -> SettingsT:
    """Read settings of this kind from the environment.

    Raises ConfigurationError that names every variable that is missing, malformed or a placeholder.
    """
    try:
        return kind()
    except ValidationError as error:
        raise ConfigurationError(
            [
                f"{'.'.join(str(part) for part in entry['loc']).upper()}: {_explain(entry['type'], entry['msg'])}"
                for entry in error.errors(include_input=False, include_url=False)
            ]
        ) from error


def _explain(kind: str, message: str) -> str:
    if kind == "missing":
        return "is not set; set this environment variable"
    return message.removeprefix("Value error, ")
