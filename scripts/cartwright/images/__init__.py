"""Build the services' container images without a container engine, and say their digests."""

from cartwright.images.buildah import Built
from cartwright.images.inputs import known_services
from cartwright.images.store import stored_services

__all__ = ["Built", "known_services", "stored_services"]
