"""The list of a repository's tags: pages, and what registries answer on bad days."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from cartwright.registry.api import Api, Limits
from cartwright.registry.errors import RegistryError
from cartwright.registry.reference import parse_reference
from cartwright.registry.tags import list_tags
from tests.promotion import fake_registry
from tests.promotion.fake_registry import FakeRegistry, Step

QUICK = Limits(connect=2, answer=0.4, patience=1.5, attempts=2)
PATH = "/v2/shop/app/tags/list"


@pytest.fixture
def fake(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeRegistry]:
    """A registry without a password; no credentials of the person who runs the tests take part."""
    monkeypatch.setenv("REGISTRY_AUTH_FILE", f"{tmp_path}/none.json")
    with fake_registry.serve() as server:
        yield server


def page(*tags: str, following: str | None = None) -> Step:
    headers = {"Link": f'<{following}>; rel="next"'} if following else {}
    return Step(content=json.dumps({"name": "shop/app", "tags": list(tags)}).encode(), headers=headers)


def listed(fake: FakeRegistry) -> tuple[str, ...]:
    with Api(parse_reference(f"{fake.host}/shop/app"), limits=QUICK) as api:
        return list_tags(api)


def refusal(fake: FakeRegistry) -> RegistryError:
    with pytest.raises(RegistryError) as caught:
        listed(fake)
    assert "\n" not in str(caught.value)
    return caught.value


def test_every_page_is_read(fake: FakeRegistry) -> None:
    fake.steps[PATH] = [page("1", "2", following=f"{PATH}?last=2&n=2")]
    fake.steps[f"{PATH}?last=2&n=2"] = [page("3", following=f"{PATH}?last=3&n=2")]
    fake.steps[f"{PATH}?last=3&n=2"] = [page("4")]
    assert listed(fake) == ("1", "2", "3", "4")


def test_the_next_page_is_asked_of_the_same_registry(fake: FakeRegistry) -> None:
    fake.steps[PATH] = [page("1", following=f"http://evil.example.com{PATH}?last=1")]
    fake.steps[f"{PATH}?last=1"] = [page("2")]
    assert listed(fake) == ("1", "2")


def test_pages_that_go_round_in_a_circle_are_refused(fake: FakeRegistry) -> None:
    fake.steps[PATH] = [page("1", following=f"{PATH}?last=1")]
    fake.steps[f"{PATH}?last=1"] = [page("2", following=f"{PATH}?last=1")]
    assert str(refusal(fake)) == f"{fake.host}/shop/app: the registry's list of tags has no end"


def test_a_repository_without_tags_has_none(fake: FakeRegistry) -> None:
    fake.steps[PATH] = [Step(content=b'{"name": "shop/app", "tags": null}')]
    assert listed(fake) == ()


@pytest.mark.parametrize(
    ("step", "code", "message"),
    [
        pytest.param(Step(code=404), "not-found", "{}: the registry has no such repository", id="no repository"),
        pytest.param(
            Step(code=429, headers={"Retry-After": "0"}),
            "rate-limited",
            "{}: the registry answered 429 (Too Many Requests) and asks to wait 0 s",
            id="too many requests",
        ),
        pytest.param(Step(code=503), "unavailable", "{}: the registry answered 503 (Service Unavailable)", id="5xx"),
        pytest.param(Step(content=b"<"), "unavailable", "{}: the registry's list of tags is not JSON", id="no JSON"),
        pytest.param(
            Step(content=b'{"tags": "1"}'), "unavailable", "{}: the registry's list of tags is not a list", id="no list"
        ),
    ],
)
def test_a_bad_answer_is_one_clear_line(fake: FakeRegistry, step: Step, code: str, message: str) -> None:
    fake.steps[PATH] = [step]
    error = refusal(fake)
    assert (error.code, str(error)) == (code, message.format(f"{fake.host}/shop/app"))


def test_missing_credentials_are_named(fake: FakeRegistry) -> None:
    fake.steps[PATH] = [Step(code=401)]
    error = refusal(fake)
    assert (error.code, error.exit_code) == ("unauthorized", 2)
    assert str(error).startswith(f"{fake.host}/shop/app: the registry wants credentials for this repository (read from")
