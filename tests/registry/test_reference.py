"""Image references: host and port, tag, digest, and what is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cartwright.kernel.errors import UserError
from cartwright.registry.reference import parse_reference, require_version

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("redis", ("redis", "docker.io", "library/redis", None, None), id="docker hub"),
        pytest.param("example/app:1", ("example/app", "docker.io", "example/app", "1", None), id="docker hub path"),
        pytest.param("ghcr.io/a/b:1.2-rc.1_x", ("ghcr.io/a/b", "ghcr.io", "a/b", "1.2-rc.1_x", None), id="tag"),
        pytest.param("ghcr.io/a/b@" + DIGEST, ("ghcr.io/a/b", "ghcr.io", "a/b", None, DIGEST), id="digest only"),
        pytest.param("ghcr.io/a/b:1@" + DIGEST, ("ghcr.io/a/b", "ghcr.io", "a/b", "1", DIGEST), id="tag and digest"),
        pytest.param("localhost/b:1", ("localhost/b", "localhost", "b", "1", None), id="localhost"),
        pytest.param("localhost:5000/b", ("localhost:5000/b", "localhost:5000", "b", None, None), id="port, no tag"),
        pytest.param("[::1]:5000/b:1", ("[::1]:5000/b", "[::1]:5000", "b", "1", None), id="IPv6"),
        pytest.param("reg:5000/b:1", ("reg:5000/b", "reg:5000", "b", "1", None), id="host without a dot"),
    ],
)
def test_a_reference_is_taken_apart(text: str, expected: tuple[str | None, ...]) -> None:
    found = parse_reference(text)
    assert (found.name, found.host, found.repository, found.tag, found.digest) == expected
    assert str(found) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "'' is not a repository (host/path:tag)", id="empty"),
        pytest.param(
            "a.io/A/b:1", "'A/b' is not a repository (host/path:tag, the path in lower case)", id="upper case"
        ),
        pytest.param("ghcr.io/a b:1", "'a b' is not a repository (host/path:tag, the path in lower case)", id="space"),
        pytest.param("ghcr.io/a/b:", "the tag is not 1 to 128 letters, digits, '_', '.' and '-'", id="empty tag"),
        pytest.param(
            "ghcr.io/a/b:1/2", "'a/b:1/2' is not a repository (host/path:tag, the path in lower case)", id="slash"
        ),
        pytest.param("ghcr.io/b:" + "1" * 129, "the tag is not 1 to 128 letters, digits, '_', '.' and '-'", id="long"),
        pytest.param("ghcr.io/b@sha256:12", "the digest is not sha256: and 64 hexadecimal digits", id="short digest"),
        pytest.param("ghcr.io/b@" + DIGEST.upper(), "the digest is not sha256: and 64 hexadecimal digits", id="case"),
        pytest.param("https://ghcr.io/b:1", "'https:' is not a host", id="URL"),
    ],
)
def test_what_is_no_reference_is_refused_with_the_part_that_is_wrong(text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_reference(text)
    assert str(caught.value) == f"image '{text}': {message}"


@given(st.text(alphabet=st.sampled_from("ab1:/@._-[]% \n\u00e4Z"), max_size=30))
def test_any_text_is_either_taken_apart_and_spelled_alike_or_refused(text: str) -> None:
    try:
        found = parse_reference(text)
    except UserError:
        return
    assert str(found) == text


def test_only_this_machine_is_loopback() -> None:
    texts = ["localhost:5000/a", "127.0.0.1:5000/a", "[::1]:5000/a", "localhost.example.com/a", "127.0.0.1.evil.com/a"]
    assert [parse_reference(text).is_loopback for text in texts] == [True, True, True, False, False]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("ghcr.io/a/b", "image 'ghcr.io/a/b' has no tag", id="no tag"),
        pytest.param(f"ghcr.io/a/b@{DIGEST}", f"image 'ghcr.io/a/b@{DIGEST}' has no tag", id="digest alone"),
        pytest.param(
            "ghcr.io/a/b:latest", "image 'ghcr.io/a/b:latest' is tagged latest, which names no version", id="latest"
        ),
        pytest.param(
            f"ghcr.io/a/b:latest@{DIGEST}",
            f"image 'ghcr.io/a/b:latest@{DIGEST}' is tagged latest, which names no version",
            id="latest with a digest",
        ),
    ],
)
def test_a_reference_without_a_version_is_refused(text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        require_version(parse_reference(text))
    assert str(caught.value) == f"{message} (people read the tag: REPO:TAG, or REPO:TAG@DIGEST)"
