"""yamllint over the sources, remembered by content."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from cartwright.kernel import memo
from cartwright.kernel.errors import UserError
from cartwright.kernel.findings import Finding
from cartwright.tree.repository import Tree
from cartwright.yaml.read import refuse_excess

__all__ = ["lint"]

CONFIG = "policies/yamllint.yaml"
_POOL_FROM = 12
"""Fewer changed files than this are linted at once here: starting processes would take longer."""

Problem = tuple[int, str, str, str]
"""Line, level, rule, message."""


def lint(tree: Tree, files: Sequence[str], *, use_cache: bool = True) -> list[Finding]:
    """Findings of yamllint in YAML files, under ``policies/yamllint.yaml``.

    Args:
        tree: the files' tree.
        files: paths in it.
        use_cache: take the verdicts on unchanged files from the cache.
    """
    config = tree.text(CONFIG)
    remembered: dict[str, list[Problem]] = {}
    table_key = memo.digest([config, *(f"{path} {tree.hash(path)}" for path in files)])
    if use_cache and (table := memo.load("lint", table_key)):
        remembered = table
    else:
        keys = {path: memo.digest([config, str(tree.hash(path))]) for path in files}
        missing = []
        for path, key in keys.items():
            known = memo.load("lint", key) if use_cache else None
            if known is None:
                missing.append(path)
            else:
                remembered[path] = known
        for path, problems in zip(missing, _lint_all([tree.read(path) for path in missing], config), strict=True):
            remembered[path] = problems
            memo.store("lint", keys[path], problems)
        memo.store("lint", table_key, {path: problems for path, problems in remembered.items() if problems})
    return [
        Finding(file=path, line=line, rule="yamllint", severity=level, message=f"{message} ({rule})")
        for path, problems in remembered.items()
        for line, level, rule, message in problems
    ]


def _lint_all(texts: Sequence[bytes], config: str) -> list[list[Problem]]:
    if len(texts) < _POOL_FROM:
        return [_lint_one(text, config) for text in texts]
    with ProcessPoolExecutor(max_workers=os.cpu_count()) as pool:
        return list(pool.map(_lint_one, texts, [config] * len(texts), chunksize=8))


def _lint_one(text: bytes, config: str) -> list[Problem]:
    from yamllint import linter
    from yamllint.config import YamlLintConfig

    try:
        decoded = text.decode()
    except UnicodeDecodeError as error:
        line = text[: error.start].count(b"\n") + 1
        return [(line, "error", "encoding", f"byte {error.start} is not UTF-8; save the file as UTF-8")]
    try:
        refuse_excess(decoded, "")  # yamllint's time grows with the square of the depth
    except UserError as error:
        return [(error.line or 1, "error", "syntax", error.message)]
    problems = linter.run(decoded, YamlLintConfig(content=config))
    return [(one.line, one.level or "error", one.rule or "syntax", one.desc) for one in problems]
