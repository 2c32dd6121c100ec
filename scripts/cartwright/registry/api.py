"""Requests to a registry's API: who we are, what is trusted, how long we wait, and one sentence for each refusal.

Tokens and Basic authentication are those of oras; time limits and retries are ours, as those of oras can't be bounded.
"""

from __future__ import annotations

import datetime
import email.utils
import re
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, TypeVar

import tenacity

from cartwright.registry.credentials import auth_file, ca_bundle, find_login
from cartwright.registry.errors import RegistryError
from cartwright.registry.reference import DIGEST, Reference

if TYPE_CHECKING:
    import requests

__all__ = ["DEFAULT_LIMITS", "Answer", "Api", "Limits"]

_CHALLENGE = re.compile(r"\s*(basic|bearer)\b", re.IGNORECASE)
_BACKOFF = tenacity.wait_random_exponential(multiplier=0.5, max=8)
_LARGEST = 8 * 2**20
"""Bytes of the largest manifest or configuration that is read; registries take manifests up to 4 MiB."""
_T = TypeVar("_T")


@dataclass(frozen=True)
class Limits:
    """How long to wait for a registry, in seconds."""

    connect: float = 5.0
    answer: float = 10.0
    """For one answer, from its request to its last byte; for contents of any size, between two pieces of it."""
    patience: float = 30.0
    """For all attempts at one question together, pauses included."""
    attempts: int = 4


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class Answer:
    """A registry's answer with code 200."""

    content: bytes
    digest: str | None
    """What it says the content's digest is."""


class Api:
    """One repository of a registry, for the time of a ``with`` block."""

    def __init__(self, image: Reference, *, limits: Limits) -> None:
        self._image = image
        self._limits = limits
        self._client: Any = None
        self._login: str | None = None

    def __enter__(self) -> Api:
        try:
            self.patiently(self._connect)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        if self._client is not None:
            self._client.session.close()

    @property
    def image(self) -> Reference:
        """What was asked for, as messages name it."""
        return self._image

    def ask(self, method: str, path: str, *, accept: Sequence[str], missing: str) -> Answer:
        """Send a request, again where that may help.

        Args:
            method: ``GET`` or ``HEAD``.
            path: below the repository: ``manifests/1.2``.
            accept: media types.
            missing: what a 404 means, in words.

        Raises:
            RegistryError: anything but an answer with code 200.
        """
        headers = {"Accept": ", ".join(accept)} if accept else {}

        def take(response: requests.Response) -> Answer:
            digest = response.headers.get("Docker-Content-Digest", "")
            return Answer(
                content=self.body(response) if method == "GET" else b"",
                digest=digest if DIGEST.fullmatch(digest) else None,
            )

        return self.patiently(lambda: self.request(method, path, take=take, headers=headers, missing=missing))

    def request(
        self,
        method: str,
        path: str,
        *,
        take: Callable[[requests.Response], _T],
        headers: Mapping[str, str] | None = None,
        body: bytes | IO[bytes] | None = None,
        missing: str,
        expect: int = 200,
    ) -> _T:
        """Send a request once.

        Args:
            method: of HTTP. ``POST`` and ``PUT`` make sure that the token allows to write.
            path: below the repository, or the whole address that the registry named.
            take: what is made of the answer while it lasts.
            headers: further ones.
            body: what is sent; a file only after a ``POST`` of the same block, whose token it is sent with.
            missing: what a 404 means, in words.
            expect: the code of success.

        Raises:
            RegistryError: any other answer.
        """
        base = f"{self._client.prefix}://{self._image.api_host}/v2/{self._image.repository}/"
        url = urllib.parse.urljoin(base, path) if path.startswith(("/", "http://", "https://")) else base + path
        sent = dict(headers or {})
        if hasattr(self._client.auth, "token"):
            if method in {"POST", "PUT"} and not hasattr(body, "read"):
                self._client.auth.token = None  # one that allows to read only would be shown again, and refused again
        elif self._login:
            # At once: a file that was sent before the registry asked who we are could not be sent again.
            sent.update(self._client.auth.get_auth_header())
        # Beneath the retries of oras, which wait up to two minutes and know no Retry-After.
        send = type(self._client).do_request.__wrapped__
        response = self._send(lambda: send(self._client, url, method, data=body, headers=sent, stream=True))
        with response:
            self._judge(response, missing, expect)
            return take(response)

    def chunks(self, response: requests.Response) -> Iterator[bytes]:
        """The body of an answer as it comes in; no single pause in it outlasts the time limit."""
        import urllib3.exceptions

        try:
            # read1 returns with what is there; requests' own iteration waits until a chunk is full
            while chunk := response.raw.read1(256 * 1024, decode_content=True):
                yield chunk
        except urllib3.exceptions.ReadTimeoutError as error:
            raise self._slow() from error
        except urllib3.exceptions.HTTPError as error:
            raise RegistryError("unreachable", f"{self._image.host}: broke off: {_reason(error)}") from error

    def _connect(self) -> None:
        """Learn how the registry wants to be spoken to: TLS or, on this machine only, plain; tokens or passwords."""
        import requests

        try:
            self._start("token", plain=False)
            response = self._ping()
        except RegistryError as error:
            plain = isinstance(error.__cause__, requests.exceptions.SSLError) and "WRONG_VERSION" in str(
                error.__cause__
            )
            if not (plain and self._image.is_loopback):
                raise
            self._start("token", plain=True)
            response = self._ping()
        with response:
            if response.status_code not in {200, 401, 404}:
                self._judge(response, "", 200)
            challenge = _CHALLENGE.match(response.headers.get("Www-Authenticate", ""))
        if response.status_code != 401:
            return
        login = find_login(self._image.host)
        if challenge and challenge[1].lower() == "basic":
            if login is None:
                raise self._unauthorized()
            self._start("basic", plain=self._client.prefix == "http")
        if login is not None:
            self._login = login.user
            self._client.auth.set_basic_auth(login.user, login.password)

    def _start(self, backend: str, *, plain: bool) -> None:
        import logging

        import oras.logger
        import oras.provider

        oras.logger.logger.set_level(logging.CRITICAL)  # what it would print is said in our sentence
        if self._client is not None:
            self._client.session.close()
        self._client = oras.provider.Registry(
            self._image.api_host, insecure=plain, tls_verify=ca_bundle() or True, auth_backend=backend
        )
        adapter = _adapter(self._limits)
        for scheme in ("https://", "http://"):
            self._client.session.mount(scheme, adapter)

    def _ping(self) -> requests.Response:
        url = f"{self._client.prefix}://{self._image.api_host}/v2/"
        verify = ca_bundle() or True
        return self._send(lambda: self._client.session.get(url, verify=verify, stream=True))

    def _send(self, call: Callable[[], requests.Response]) -> requests.Response:
        import requests

        host = self._image.host
        try:
            return call()
        except requests.exceptions.SSLError as error:
            raise RegistryError(
                "untrusted",
                f"{host}: its certificate is not trusted: {_reason(error)} (SSL_CERT_FILE names your own authority)",
            ) from error
        except requests.exceptions.Timeout as error:
            raise self._slow() from error
        except requests.exceptions.RequestException as error:
            raise RegistryError("unreachable", f"{host}: can't be reached: {_reason(error)}") from error
        except ValueError as error:  # how oras says that it got no token
            raise self._unauthorized() from error

    def _judge(self, response: requests.Response, missing: str, expect: int) -> None:
        code, image = response.status_code, self._image
        if code == expect:
            return
        if code in {401, 403}:
            raise self._unauthorized()
        if code == 404:
            raise RegistryError("not-found", f"{image}: the registry has {missing}")
        said = f"{image}: the registry answered {code}{f' ({response.reason})' if response.reason else ''}"
        pause = _retry_after(response.headers.get("Retry-After"))
        if pause is not None:
            said += f" and asks to wait {pause:g} s"
        raise RegistryError("rate-limited" if code == 429 else "unavailable", said, retry_after=pause)

    def _unauthorized(self) -> RegistryError:
        who = f"refuses {self._login}" if self._login else "wants credentials"
        return RegistryError(
            "unauthorized",
            f"{self._image}: the registry {who} for this repository (read from {auth_file()}; `docker login` or "
            f"`podman login {self._image.host}`)",
        )

    def _slow(self) -> RegistryError:
        return RegistryError("slow", f"{self._image}: no answer from the registry within {self._limits.answer:g} s")

    def body(self, response: requests.Response) -> bytes:
        """The whole body; a trickle does not outlast the time limit."""
        end, content = time.monotonic() + self._limits.answer, bytearray()
        for chunk in self.chunks(response):
            content += chunk
            if len(content) > _LARGEST:
                raise RegistryError("no-image", f"{self._image}: the registry's answer exceeds {_LARGEST >> 20} MiB")
            if time.monotonic() > end:
                raise self._slow()
        return bytes(content)

    def patiently(self, once: Callable[[], _T]) -> _T:
        """Call, and call again while it may help, after as long as the registry says or a little longer each time.

        Raises:
            RegistryError: what the last attempt ended with.
        """
        limits = self._limits
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda error: isinstance(error, RegistryError) and error.is_transient),
            stop=tenacity.stop_after_attempt(limits.attempts) | tenacity.stop_before_delay(limits.patience),
            wait=_pause,
            reraise=True,
        )
        return retrying(once)


def _pause(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, RegistryError) else None
    return asked if asked is not None else _BACKOFF(state)


def _adapter(limits: Limits) -> Any:
    import requests.adapters

    class Adapter(requests.adapters.HTTPAdapter):
        """Gives every request a time limit, those for tokens too."""

        def send(self, request: Any, **options: Any) -> requests.Response:  # type: ignore[override]
            return super().send(request, **{**options, "timeout": (limits.connect, limits.answer)})

    return Adapter()


def _retry_after(value: str | None) -> float | None:
    """Seconds that a Retry-After header means, as a number or as a date."""
    if not value:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
    return max(0.0, (moment - datetime.datetime.now(datetime.UTC)).total_seconds())


def _reason(error: BaseException) -> str:
    """The innermost cause of a chain of wrappers, in one line."""
    inner: BaseException = error
    while True:
        follow = getattr(inner, "reason", None) or (inner.args[0] if inner.args else None)
        if not isinstance(follow, BaseException):
            break
        inner = follow
    return " ".join(str(inner).split())
