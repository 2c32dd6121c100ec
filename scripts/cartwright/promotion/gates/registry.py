"""Registry: every tag still leads to the digest that is promoted, and the image was built for this environment.

Asked where environment.yaml says ``registry: true``. A tag that moved means that what people read is no longer what
runs, so it is refused, though the digest pins the content.
"""

from __future__ import annotations

from cartwright.promotion.gates.case import Case
from cartwright.promotion.verdict import Verdict

__all__ = ["judge", "platforms_of"]

GATE = "registry"


def judge(case: Case) -> Verdict:
    """Codes: ``registry-`` and the code of :class:`cartwright.promotion.published.RegistryError`, such as
    ``registry-tag-moved``, ``registry-no-platform``, ``registry-unreachable``.

    A rollback is asked for the digest alone: its tag may have moved since, the content must still be there.
    """
    if not case.gates.get("registry"):
        return case.not_asked(GATE, f"{case.target.name} does not ask the registry")
    from cartwright.promotion.published import RegistryError  # a client that few environments ask for

    sources = case.move.sources
    references = [
        f"{sources.get(pin.image, pin.image)}{'' if case.is_rollback else f':{pin.tag}'}@{pin.digest}"
        for pin in case.move.pins
        if pin.digest
    ]
    try:
        case.evidence.sources.images(references, platforms=platforms_of(case.gates))
    except RegistryError as error:
        return case.blocked(GATE, f"registry-{error.code}", str(error))
    return case.passed(GATE, f"the registry has {case.release} as it is pinned")


def platforms_of(gates: object) -> tuple[str, ...]:
    """What an environment's gates say that images must be built for."""
    from cartwright.promotion.published import DEFAULT_PLATFORMS

    named = gates.get("platforms") if isinstance(gates, dict) else None
    return tuple(named) if named else DEFAULT_PLATFORMS
