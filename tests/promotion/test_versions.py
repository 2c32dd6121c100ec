"""Version policies: which tags they take for versions, which they select, and how they order them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cartwright.kernel.errors import UserError
from cartwright.promotion.versions import natural, parse_policy

TAGS = ("1.4.0", "v1.4.10", "1.4.9", "1.5.0-rc.1", "1.5.0-rc.2", "2.0.0", "2.1.0-rc.1", "1.4", "main", "latest-2")
BUILDS = ("build-9-1a", "build-10-1b", "build-2-ff", "nightly", "build-x")


def newest(policy: str, tags: tuple[str, ...]) -> str | None:
    """The newest of the tags that a policy selects."""
    found = parse_policy(policy)
    versions = [tag for tag in tags if found.order(tag) is not None and found.selects(tag)]
    return max(versions, key=found.order, default=None)


@pytest.mark.parametrize(
    ("policy", "tags", "expected"),
    [
        pytest.param("semver:^1.4", TAGS, "v1.4.10", id="caret, without pre-releases"),
        pytest.param("semver:^1.5.0-rc", TAGS, "1.5.0-rc.2", id="a range that names a pre-release"),
        pytest.param("semver:*", TAGS, "2.0.0", id="any"),
        pytest.param("semver:>=1.4.0 <1.4.10", TAGS, "1.4.9", id="two comparators"),
        pytest.param("semver:1.x || 2.x", TAGS, "2.0.0", id="one range or another"),
        pytest.param("semver:^3", TAGS, None, id="nothing in the range"),
        pytest.param(r"regex:build-(?P<number>\d+)-[0-9a-f]+", BUILDS, "build-10-1b", id="ordered by a named group"),
        pytest.param(r"regex:build-\d+-[0-9a-f]+", BUILDS, "build-10-1b", id="ordered by the whole tag"),
        pytest.param(r"regex:build-\d+-(?P<commit>[0-9a-f]+)", BUILDS, "build-2-ff", id="ordered by another group"),
        pytest.param(r"regex:build", BUILDS, None, id="the whole tag must fit"),
    ],
)
def test_the_newest_of_the_selected_tags(policy: str, tags: tuple[str, ...], expected: str | None) -> None:
    assert newest(policy, tags) == expected


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ("semver:nope", "'semver:nope' is not a range of versions (such as semver:^1.4, semver:1.x, semver:>=1.4 <3)"),
        ("semver:", "'semver:' is not a range of versions (such as semver:^1.4, semver:1.x, semver:>=1.4 <3)"),
        ("regex:(", "'regex:(' is not a regular expression: missing ), unterminated subpattern at position 0"),
        ("regex:", r"'regex:' has no pattern (such as 'regex:build-(?P<number>\d+)')"),
        ("semvr:^1", "no version policy 'semvr:^1' (did you mean 'semver:'?)"),
        ("newest", "no version policy 'newest' (did you mean 'newest-build'?)"),
        ("^1.4", "no version policy '^1.4' (known: newest-build, regex:, semver:)"),
    ],
)
def test_what_is_no_policy_is_refused_in_one_line(policy: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_policy(policy)
    assert str(caught.value) == message


_TAG = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,30}", fullmatch=True)


@given(st.sampled_from(["semver:^1.4", "semver:>=0.0.0-0", "regex:[a-z]*(?P<a>.*)", "newest-build"]), st.lists(_TAG))
def test_any_tags_can_be_ordered_and_the_order_of_the_list_does_not_matter(policy: str, tags: list[str]) -> None:
    found = parse_policy(policy)
    keys = {tag: found.order(tag) for tag in tags}
    one, other = (
        max((keys[tag] for tag in some if keys[tag] is not None and found.selects(tag)), default=None)
        for some in (tags, tags[::-1])
    )
    assert one == other


@given(_TAG, st.integers(0, 10**6), st.integers(0, 10**6))
def test_numbers_in_tags_count_as_numbers(tag: str, one: int, other: int) -> None:
    assert (natural(f"{tag}-{one}") < natural(f"{tag}-{other}")) == (one < other)


@given(st.tuples(*[st.integers(0, 200)] * 3), st.tuples(*[st.integers(0, 200)] * 3))
def test_semantic_versions_are_ordered_by_their_numbers(one: tuple[int, int, int], other: tuple[int, int, int]) -> None:
    order = parse_policy("semver:*").order
    first, second = (order(".".join(map(str, numbers))) for numbers in (one, other))
    assert (first < second) == (one < other)
