"""The cases' objects with one value of another type: rules are asked of such too, and none may end the judging."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from cartwright.policy.cases import load_cases
from cartwright.policy.documents import Document
from cartwright.policy.engine import evaluate_documents
from cartwright.policy.model import load_rules

pytestmark = pytest.mark.slow

_JUNK: tuple[Any, ...] = (None, "", "true", 0, -1, 2.5, 10**7, True, [], [None], ["x"], {}, {"x": "y"}, [{}])
"""What manifests hold by mistake."""

_BATCH = 400

Place = tuple[str | int, ...]


def _places(value: Any, at: Place = ()) -> Iterator[Place]:
    """The path to every value inside an object, except what makes it an object of its kind."""
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        if (*at, key) not in {("apiVersion",), ("kind",)}:
            yield (*at, key)
            yield from _places(inner, (*at, key))


def _replaced(content: Mapping[str, Any], place: Place, value: Any) -> Mapping[str, Any]:
    made: Any = copy.deepcopy(content)
    at = made
    for key in place[:-1]:
        at = at[key]
    at[place[-1]] = value
    return dict(made)


@pytest.fixture(scope="module")
def worlds(policies: Path) -> list[list[Document]]:
    """The objects of every case."""
    return [case.documents for case in load_cases(load_rules(policies))]


@settings(
    max_examples=3,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_no_rule_ends_the_judging_of_a_case_with_a_value_of_another_type(
    data: st.DataObject, worlds: Sequence[Sequence[Document]], policies: Path, conftest_binary: Path
) -> None:
    """An error in a built-in function would end the run, see the engine."""
    random = data.draw(st.randoms(use_true_random=False))
    documents: list[Document] = []
    for number in range(_BATCH):
        objects = list(random.choice(worlds))
        broken = random.randrange(len(objects))
        content = objects[broken].object
        mangled = _replaced(content, random.choice(list(_places(content))), random.choice(_JUNK))
        objects[broken] = replace(objects[broken], object=mangled)
        documents += [replace(one, path=str(number)) for one in objects]
    evaluation = evaluate_documents(documents, {}, conftest_binary, policies=policies, isolate=True)
    assert evaluation.objects == len(documents)
    assert evaluation.findings
