"""What orders reads from its environment."""

from pydantic import AnyHttpUrl

from cartwright_kit import DatabaseSettings, ServiceSettings


class Settings(ServiceSettings, DatabaseSettings):
    """The settings of orders."""

    catalog_url: AnyHttpUrl
