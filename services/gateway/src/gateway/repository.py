"""Every command that gateway sends to Redis."""

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from gateway.settings import Settings


class RequestCounts:
    """How many requests each client made in a window of time, shared by all replicas."""

    def __init__(self, settings: Settings) -> None:
        self._redis = Redis(
            host=settings.redis_host,
            port=settings.redis_port,
            password=settings.redis_password.get_secret_value(),
            socket_timeout=settings.redis_timeout_seconds,
            socket_connect_timeout=settings.redis_timeout_seconds,
            retry=Retry(NoBackoff(), 0),  # a request waits at most once for its count
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def check(self) -> None:
        """Ask the server for an answer."""
        await self._redis.echo("ready")

    async def add(self, client: str, *, window: int, window_seconds: int) -> int:
        """Count one request of this client in this window; returns the count with it.

        Raises redis.RedisError, or OSError, when the server does not answer in time.
        """
        key = f"gateway:requests:{window_seconds}:{window}:{client}"
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.incr(key)
            pipeline.expire(key, window_seconds * 2)
            count, _ = await pipeline.execute()
        return int(count)
