"""Build the services' container images without a container engine, and say their digests."""

from cartwright.images.build import Image, build_images, known_services

__all__ = ["Image", "build_images", "known_services"]
