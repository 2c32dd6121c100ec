"""Whose signature a commit carries, by the keys that the repository itself names."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from cartwright.kernel.run import run

__all__ = ["signer"]

_SSH = re.compile(r'^Good "git" signature for (\S+) with ', re.MULTILINE)
_OPENPGP = re.compile(r"^\[GNUPG:\] GOODSIG \S+ .*?<([^<>\s]+)>", re.MULTILINE)


def signer(root: Path, commit: str, *, keys: bytes) -> str | None:
    """The address that a commit's valid signature belongs to, in lower case; None where there is no such signature.

    Args:
        root: the repository.
        commit: id of the commit.
        keys: the trusted keys: allowed signers as ssh-keygen reads them, or an armoured OpenPGP key ring.

    Raises:
        ToolError: gpg can't read the key ring.
    """
    with tempfile.TemporaryDirectory(prefix="cartwright-keys-") as folder:
        file = Path(folder) / "keys"
        file.write_bytes(keys)
        openpgp = b"-----BEGIN PGP" in keys
        trusted = f"gpg.ssh.allowedSignersFile={'/dev/null' if openpgp else file}"
        home = Path(folder) / "gnupg"
        home.mkdir(mode=0o700)
        if openpgp:
            run(["gpg", "--batch", "--quiet", "--no-autostart", "--homedir", home, "--import", file])
        done = run(
            ["git", "-c", trusted, "verify-commit", "--raw", commit],
            cwd=root,
            env={"LC_ALL": "C", "GNUPGHOME": str(home)},
            accept=(0, 1, 128),
        )
    if done.returncode:
        return None
    found = (_OPENPGP if openpgp else _SSH).search(done.stderr + done.stdout)
    return found[1].lower() if found else None
