"""What gateway reads from its environment."""

from pydantic import AnyHttpUrl, Field

from cartwright_kit import Secret, ServiceSettings


class Settings(ServiceSettings):
    """The settings of gateway."""

    catalog_url: AnyHttpUrl
    orders_url: AnyHttpUrl
    upstream_timeout_seconds: float = Field(default=10, gt=0)
    """Longest wait for an answer, repetitions included. Above what orders itself allows catalog."""

    redis_host: str
    redis_port: int = Field(default=6379, ge=1, le=65535)
    redis_password: Secret
    redis_timeout_seconds: float = Field(default=0.2, gt=0)
    """Longest wait for Redis; a slower answer lets the request through uncounted."""

    rate_limit_requests: int = Field(default=120, ge=1)
    """How many requests one client may make in a window."""
    rate_limit_window_seconds: int = Field(default=60, ge=1)
