"""PostgreSQL through SQLAlchemy: one pool for the application, one session and one transaction a request."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Annotated, ClassVar

from fastapi import Depends
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import MetaData, QueuePool, text
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from cartwright_kit.errors import ServiceUnavailable
from cartwright_kit.resources import Resource, Runtime, resource
from cartwright_kit.settings import DatabaseSettings


class DatabaseUnavailable(ServiceUnavailable):
    """The database refused, timed out or ended the connection; the request may be repeated."""

    slug = "database-unavailable"
    title = "Database unavailable"


def create_metadata() -> MetaData:
    """Metadata for one service's models, with names for constraints that migrations can refer to."""
    return MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Database(Resource):
    """The service's own database. Connections are made when first needed."""

    name: ClassVar[str] = "database"

    def __init__(self, settings: DatabaseSettings) -> None:
        seconds = settings.database_timeout_seconds
        self._engine: AsyncEngine = create_async_engine(
            settings.database_url,
            pool_size=settings.database_pool_size,
            max_overflow=settings.database_pool_overflow,
            pool_timeout=seconds,
            # A connection that the server or a failover closed is replaced instead of failing a request.
            pool_pre_ping=True,
            connect_args={
                "connect_timeout": max(2, round(seconds)),
                "application_name": settings.database_user,
                "options": f"-c statement_timeout={round(seconds * 1000)} -c timezone=UTC",
            },
        )
        self._sessions = async_sessionmaker(self._engine, expire_on_commit=False)

    def bind(self, runtime: Runtime) -> None:
        """Register the pool's gauges."""
        assert isinstance(self._engine.pool, QueuePool)  # noqa: S101  what an async engine is made with
        runtime.metrics.registry.register(_PoolCollector(self._engine.pool))

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()

    async def check(self) -> None:
        """Ask the server for an answer."""
        async with self._engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """A session whose work is committed at the end, or rolled back if the block raises.

        Raises DatabaseUnavailable when the server cannot be reached, gives up a statement or the pool is exhausted.
        """
        try:
            async with self._sessions() as session:
                yield session
                await session.commit()
        except (OperationalError, InterfaceError, PoolTimeoutError) as error:
            raise DatabaseUnavailable("The database did not complete the request; try again.") from error


async def _session(database: Annotated[Database, Depends(resource(Database))]) -> AsyncIterator[AsyncSession]:
    async with database.session() as session:
        yield session


# Scope "function": the commit happens before the response is sent, so that a failed commit is never a success.
Session = Annotated[AsyncSession, Depends(_session, scope="function")]
"""The request's session, for constructors of repositories."""


class _PoolCollector(Collector):
    def __init__(self, pool: QueuePool) -> None:
        self._pool = pool

    def collect(self) -> Iterable[Metric]:
        gauge = GaugeMetricFamily("database_pool_connections", "Connections of the pool", labels=["state"])
        gauge.add_metric(["in_use"], self._pool.checkedout())
        gauge.add_metric(["idle"], self._pool.checkedin())
        yield gauge
