"""What catalog reads from its environment."""

from cartwright_kit import DatabaseSettings, ServiceSettings


class Settings(ServiceSettings, DatabaseSettings):
    """The settings of catalog."""
