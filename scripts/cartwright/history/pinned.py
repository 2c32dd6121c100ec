"""An image at the version that ran."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Pinned", "short_digest"]


@dataclass(frozen=True, order=True)
class Pinned:
    """One image at the version that ran."""

    image: str
    """Its ``name``: the image's name in the base."""
    tag: str | None
    """``newTag`` as written; None where there is none."""
    digest: str | None
    """``digest`` as written; None where there is none."""
    source: str | None = None
    """``newName``: the repository that it is pulled from, where that is another."""

    def __str__(self) -> str:
        """As people call it: the tag, or the digest where there is no tag."""
        return self.tag or short_digest(self)

    def same_content(self, other: Pinned) -> bool:
        """Whether both are the same bits: by digest where one is stated, else by repository and tag."""
        if self.digest or other.digest:
            return self.digest == other.digest
        return (self.source or self.image, self.tag) == (other.source or other.image, other.tag)


def short_digest(pin: Pinned) -> str:
    """So much of an image's digest as tells two of them apart for a person."""
    return (pin.digest or "no version").removeprefix("sha256:")[:12]
