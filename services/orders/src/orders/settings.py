"""What orders reads from its environment."""

from pydantic import AnyHttpUrl

from cartwright_kit import DatabaseSettings, MessagesSettings, ServiceSettings


class Settings(ServiceSettings, DatabaseSettings, MessagesSettings):
    """The settings of orders."""

    catalog_url: AnyHttpUrl
