"""What the policy tests share: the real conftest, and short ways to ask the rules."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from cartwright.kernel.run import run
from cartwright.policy.documents import Document
from cartwright.policy.engine import Evaluation, evaluate_documents
from cartwright.tools import require

Judge = Callable[..., Evaluation]


@pytest.fixture(scope="session")
def judge(policies: Path, conftest_binary: Path) -> Judge:
    """Judge objects; each stands in a file of its own, named by its position."""

    def judge(
        objects: Sequence[Mapping[str, Any]],
        *,
        parameters: Mapping[str, Mapping[str, Any]] | None = None,
        isolate: bool = False,
        pss: str | None = None,
        only: Sequence[str] | None = None,
    ) -> Evaluation:
        documents = [Document(path=str(number), index=0, object=one) for number, one in enumerate(objects)]
        return evaluate_documents(
            documents, parameters or {}, conftest_binary, policies=policies, isolate=isolate, pss=pss, only=only
        )

    return judge


@pytest.fixture(scope="session")
def lifecycle(policies: Path) -> Mapping[str, Mapping[str, tuple[str, str, str]]]:
    """The table of API versions, as OPA reads it."""
    done = run(
        [require(["opa"])["opa"], "eval", "--format=json", "--data", policies / "lib" / "api.rego", "data.lib.api"]
    )
    found: dict[str, Any] = json.loads(done.stdout)["result"][0]["expressions"][0]["value"]
    return {version: {kind: tuple(end) for kind, end in kinds.items()} for version, kinds in found["lifecycle"].items()}
