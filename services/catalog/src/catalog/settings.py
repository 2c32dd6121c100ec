"""What catalog reads from its environment."""

from cartwright_kit import DatabaseSettings, MessagesSettings, ServiceSettings


class Settings(ServiceSettings, DatabaseSettings, MessagesSettings):
    """The settings of catalog."""
