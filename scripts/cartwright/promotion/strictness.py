"""What an environment asks for, compared: which of two is weaker in what, and what is as strict as both."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cartwright.kernel.errors import UserError
from cartwright.kernel.moments import parse_duration
from cartwright.promotion.gates.conditions import approval_lasts, approvals_asked

__all__ = ["Gates", "stricter"]


@dataclass(frozen=True)
class Gates:
    """The upstreams and gates of an environment.yaml."""

    upstreams: tuple[str, ...]
    gates: Mapping[str, Any]

    @staticmethod
    def of(content: Mapping[str, Any]) -> Gates:
        """What a parsed environment.yaml asks for."""
        gates, upstreams = content.get("gates"), content.get("upstreams")
        return Gates(
            upstreams=tuple(map(str, upstreams)) if isinstance(upstreams, list) else (),
            gates=gates if isinstance(gates, dict) else {},
        )

    @property
    def digest(self) -> str:
        """What an approval of them names: ``sha256:…`` of their content, whatever its order, style and comments."""
        content = json.dumps([sorted(self.upstreams), self.gates], sort_keys=True, default=str)
        return f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"


def stricter(old: Gates, new: Gates) -> tuple[Gates, tuple[str, ...]]:
    """What is as strict as both, and in which words the new ones are weaker; no words where they are not.

    >>> stricter(Gates((), {"soak": "1h"}), Gates((), {"soak": "10m"}))
    (Gates(upstreams=(), gates={'soak': '1h'}), ('soak 1h → 10m',))
    """
    gates, weaker = dict(new.gates), list[str]()
    gone = [name for name in old.upstreams if name not in new.upstreams]
    weaker += [f"upstream {name} removed" for name in gone]
    if _duration(new.gates.get("soak")) < _duration(old.gates.get("soak")):
        gates["soak"] = old.gates["soak"]
        weaker.append(f"soak {old.gates['soak']} → {new.gates.get('soak', 'none')}")
    for name in ("health", "registry"):
        if old.gates.get(name) is True and new.gates.get(name) is not True:
            gates[name] = True
            weaker.append(f"{name} removed")
    for name in ("verification", "platforms"):
        missing = [one for one in old.gates.get(name) or () if one not in (new.gates.get(name) or ())]
        if missing:
            gates[name] = [*(new.gates.get(name) or ()), *missing]
            weaker += [f"{name} {_say(one)} removed" for one in missing]
    if old.gates.get("signatures") and new.gates.get("signatures") != old.gates["signatures"]:
        gates["signatures"] = old.gates["signatures"]
        weaker.append(f"signatures {'changed' if new.gates.get('signatures') else 'removed'}")
    open_now = [one for one in old.gates.get("freezes") or () if not _is_covered(one, new.gates.get("freezes") or ())]
    if open_now:
        gates["freezes"] = [*(new.gates.get("freezes") or ()), *open_now]
        weaker += [f"freeze '{one.get('reason', '')}' removed or shortened" for one in open_now]
    approvals, words = _approvals(old.gates, new.gates)
    if words:
        gates["approvals"] = approvals
        weaker += words
    return Gates(upstreams=(*new.upstreams, *gone), gates=gates), tuple(weaker)


def _approvals(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[str]]:
    (before, was), (after, settings) = approvals_asked(old), approvals_asked(new)
    merged, words = dict(settings), list[str]()
    if not before:
        return merged, words
    if after < before:
        merged["count"] = before
        words.append(f"approvals {before} → {after}")
    for name in ("from", "group", "signers"):
        if was.get(name) is not None and settings.get(name) != was[name]:
            merged[name] = was[name]
            words.append(f"approvals.{name} {was[name]} → {settings.get(name, 'none')}")
    if was.get("distinct") and not settings.get("distinct"):
        merged["distinct"] = True
        words.append("approvals.distinct removed")
    if _lasts(settings) > _lasts(was):
        merged["expires"] = was.get("expires", "7d")
        words.append(f"approvals.expires {was.get('expires', '7d')} → {settings.get('expires', '7d')}")
    return merged, words


def _is_covered(window: Any, others: Any) -> bool:
    """Whether a freeze window is among others, as long as it was or longer."""
    return any(
        all(one.get(key) == window.get(key) for key in ("schedule", "timeZone"))
        and _duration(one.get("duration")) >= _duration(window.get("duration"))
        for one in others
        if isinstance(one, dict) and isinstance(window, dict)
    )


def _duration(text: object) -> datetime.timedelta:
    """A duration; none at all where it can't be read, since nothing can be asked by it."""
    try:
        return parse_duration(str(text or "0s"))
    except UserError:
        return datetime.timedelta()


def _lasts(settings: Mapping[str, Any]) -> datetime.timedelta:
    try:
        return approval_lasts(settings)
    except UserError:
        return datetime.timedelta.max


def _say(one: object) -> str:
    return f"{one['job']} of {one['apps']}" if isinstance(one, dict) and {"job", "apps"} <= one.keys() else str(one)
