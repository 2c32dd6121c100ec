"""What gates know from outside of Git: Argo CD's word on Applications, and signatures of images.

Read anew for each attempt: a promotion that lost a race is judged by what is true then.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from cartwright.promotion.argo import AppState, HealthSource, UnknownHealthError

__all__ = ["Evidence", "ImageSource", "SignatureSource", "Sources"]


class SignatureSource(Protocol):
    """Where signatures of images are verified."""

    def __call__(self, image: str, *, key: Path) -> None:
        """Prove that an image (``repository@sha256:…``) carries a valid signature of this public key.

        Raises:
            Blocked: it carries none, or nobody can say; the message says which, and ``code`` says it to programs.
        """


class ImageSource(Protocol):
    """Where images are looked up."""

    def __call__(self, references: Sequence[str], *, platforms: Sequence[str]) -> None:
        """Prove that images (``repository:tag@sha256:…``) are there as they are pinned, and built for the platforms.

        Raises:
            RegistryError: one is not, or nobody can say.
        """


def _confirm(references: Sequence[str], *, platforms: Sequence[str]) -> None:
    """The registries themselves. Their client is loaded for those environments alone that ask for it."""
    from cartwright.promotion.published import confirm

    confirm(references, platforms=platforms)


@dataclass(frozen=True)
class Sources:
    """Where evidence comes from."""

    health: HealthSource
    signatures: SignatureSource
    images: ImageSource = _confirm


@dataclass(frozen=True)
class Evidence:
    """What was found at one moment."""

    sources: Sources
    _states: dict[str, AppState | None] = field(default_factory=dict, repr=False)
    _problems: list[str] = field(default_factory=list, repr=False)

    def preload(self, applications: Collection[str]) -> None:
        """Ask Argo CD once for all that will be needed. That it does not answer is remembered, too."""
        wanted = [name for name in applications if name not in self._states]
        if not wanted or self._problems:
            return
        try:
            found: Mapping[str, AppState] = self.sources.health.read(wanted)
        except UnknownHealthError as error:
            self._problems.append(str(error))
            return
        self._states.update({name: found.get(name) for name in wanted})

    def state(self, application: str) -> AppState | None:
        """An Application's state; None where Argo CD has none of that name.

        Raises:
            UnknownHealthError: Argo CD can't be asked.
        """
        self.preload([application])
        if application not in self._states:
            raise UnknownHealthError(self._problems[0])
        return self._states[application]
