"""Signatures: every image of the release carries a valid cosign signature by the environment's key."""

from __future__ import annotations

import tempfile
from pathlib import Path

from cartwright.kernel.errors import Blocked
from cartwright.promotion.gates.case import Case
from cartwright.promotion.verdict import Verdict

__all__ = ["judge"]

GATE = "signatures"


def judge(case: Case) -> Verdict:
    """Codes: ``signature-not-signed``, ``signature-wrong-key``, ``signature-other-image``, ``signature-unknown``.

    A rollback is asked, too: a key may have been withdrawn since.
    """
    wanted = case.gates.get("signatures")
    if not wanted:
        return case.not_asked(GATE, f"{case.target.name} asks for no signature")
    tree, key = case.context.snapshot.tree, wanted["key"]
    if not tree.is_file(key):
        raise case.error(f"the key '{key}' is not in the repository", "signatures", "key")
    sources = case.move.sources
    with tempfile.TemporaryDirectory(prefix="cartwright-key-") as folder:
        file = Path(folder) / "cosign.pub"
        file.write_bytes(tree.read(key))
        for image, digest in case.digests.items():
            reference = f"{sources.get(image, image)}@{digest}"
            try:
                case.evidence.sources.signatures(reference, key=file)
            except Blocked as error:
                code = getattr(error, "code", "unknown")
                return case.blocked(GATE, f"signature-{code}", f"{reference}: {error}")
    return case.passed(GATE, f"{key} signed {case.release}")
