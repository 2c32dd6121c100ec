"""Credentials and certificates for registries, from where docker, podman and cosign look for them."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from cartwright.kernel.errors import UserError

__all__ = ["Login", "auth_file", "ca_bundle", "find_login"]

_DOCKER_HUB = "https://index.docker.io/v1/"


@dataclass(frozen=True)
class Login:
    """A user of a registry."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"Login(user={self.user!r})"


def auth_file() -> Path:
    """The one file that credentials are read from: $REGISTRY_AUTH_FILE, $DOCKER_CONFIG/config.json, or docker's own."""
    named = os.environ.get("REGISTRY_AUTH_FILE")
    if named:
        return Path(named)
    folder = os.environ.get("DOCKER_CONFIG")
    return (Path(folder) if folder else Path.home() / ".docker") / "config.json"


def find_login(host: str) -> Login | None:
    """The credentials for a registry, from the file or from the credential helper that it names.

    Args:
        host: the registry with its port, as references write it.

    Raises:
        UserError: the file can't be read, its helper fails, or it holds a kind of token that can't be used here.
    """
    file = auth_file()
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        if "REGISTRY_AUTH_FILE" in os.environ:
            raise UserError("REGISTRY_AUTH_FILE names a missing file", file=file) from error
        return None
    except (OSError, ValueError) as error:
        raise UserError(f"can't be read as the credentials of docker or podman: {error}", file=file) from error
    if not isinstance(content, dict):
        raise UserError("must be a JSON object: the credentials of docker or podman", file=file)
    if not content.keys() & {"auths", "credsStore", "credHelpers"}:
        return None
    import docker.auth
    import docker.errors

    try:
        config = docker.auth.load_config(config_dict=content)
        found = config.resolve_authconfig(_DOCKER_HUB if host == "docker.io" else host) or {}
    except (docker.errors.DockerException, ValueError, TypeError, AttributeError) as error:
        raise UserError(f"holds no usable credentials for {host}: {error}", file=file) from error
    if found.get("IdentityToken"):
        raise UserError(
            f"has an identity token for {host}, which can't be used here",
            file=file,
            hint="log in with a user and a password, or with a robot account",
        )
    user, password = found.get("username") or found.get("Username"), found.get("password") or found.get("Password")
    return Login(user, password) if user and password else None


def ca_bundle() -> str | None:
    """The file or folder of certificates that a variable of requests, curl or OpenSSL says to trust, if one does.

    Raises:
        UserError: what it names is not there.
    """
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        value = os.environ.get(name)
        if value:
            if not Path(value).exists():
                raise UserError(f"{name} names a missing file", file=value)
            return value
    return None
