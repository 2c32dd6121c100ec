"""Signatures of images, verified by cosign with a public key and without a transparency log.

A key pair needs nothing but the registry: neither an identity provider nor Sigstore's servers are asked, so it works
where the network ends at the registry. What is verified is a digest, never a tag.
"""

from __future__ import annotations

import re
from pathlib import Path

from cartwright.kernel.errors import CartwrightError, ToolError, UserError
from cartwright.kernel.run import run
from cartwright.promotion.land.commit import Blocked
from cartwright.registry.credentials import ca_bundle
from cartwright.registry.reference import parse_reference

__all__ = ["SignatureError", "verify"]

_TIMEOUT = 60.0
_NOT_SIGNED = 10
"""cosign's own exit code where an image carries no signature at all."""
_OTHER_KEY = re.compile(r"accepted signatures do not match threshold|invalid signature|no matching signatures")
_OTHER_IMAGE = re.compile(r"artifact digest|digest in claim|digest.* (?:mismatch|does not match)", re.IGNORECASE)
_NO_KEY = re.compile(r"loading public key|PEM decoding|unsupported pem type", re.IGNORECASE)


class SignatureError(Blocked):
    """An image is not signed as it must be, or nobody can say.

    Codes: ``not-signed``, ``wrong-key``, ``other-image`` (the signature is of other content), ``unknown``.
    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


def verify(image: str, *, key: Path) -> None:
    """Prove that an image carries a valid signature of a key.

    Args:
        image: ``repository@sha256:…``.
        key: a public key as cosign writes it, in PEM.

    Raises:
        UserError: the reference has no digest, or the file is not a public key.
        SignatureError: no signature, one by another key or of other content; or the registry can't be asked.
        ToolError: cosign can't be built.
    """
    from cartwright.tools import require

    if parse_reference(image).digest is None:
        raise UserError(f"image '{image}': name its digest: a signature belongs to a digest")
    cosign = require(["cosign"])["cosign"]
    bundle = ca_bundle()
    trusted = {"SSL_CERT_DIR" if Path(bundle).is_dir() else "SSL_CERT_FILE": bundle} if bundle else {}
    try:
        done = run(
            # The log is Sigstore's public one: signatures by a key pair of one's own are not written to it.
            [cosign, "verify", "--key", key, "--insecure-ignore-tlog=true", "--output=text", image],
            env=trusted,
            accept=range(256),
            timeout=_TIMEOUT,
        )
    except ToolError as error:
        raise SignatureError("unknown", f"can't tell whether it is signed: {error}") from error
    if done.returncode:
        raise _explain(done.returncode, done.stderr, key)


def _explain(code: int, stderr: str, key: Path) -> CartwrightError:
    """cosign's last words as one sentence."""
    lines = [line.removeprefix("Error: ") for line in stderr.splitlines() if line.startswith("Error: ")]
    said = " ".join((lines or stderr.splitlines() or [f"cosign ended with code {code}"])[-1].split())
    if code == _NOT_SIGNED:
        return SignatureError("not-signed", "it is not signed")
    if _NO_KEY.search(said):
        return UserError("is not a public key in cosign's format", file=key.name)
    if _OTHER_IMAGE.search(said):
        return SignatureError("other-image", "its signature is for another image")
    if _OTHER_KEY.search(said):
        return SignatureError("wrong-key", f"it is signed, but not by the key {key.name}")
    return SignatureError("unknown", f"can't tell whether it is signed: {said}")
