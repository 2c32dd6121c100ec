"""Registries of container images and other artifacts: references, credentials, requests, content by its digest."""
