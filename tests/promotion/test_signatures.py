"""Signatures by a key pair in a real registry: what is signed passes, what is not is blocked with a sentence."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from cartwright.kernel.errors import UserError
from cartwright.promotion.signatures import SignatureError, verify
from cartwright.tools import require
from tests.promotion.registry_server import Registry, free_port

pytestmark = pytest.mark.registry


@pytest.fixture(scope="session")
def cosign() -> Path:
    return require(["cosign"])["cosign"]


@pytest.fixture(scope="session")
def keys(cosign: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the key pairs ``cosign`` and ``other``."""
    folder = tmp_path_factory.mktemp("keys")
    for prefix in ("cosign", "other"):
        subprocess.run(
            [cosign, "generate-key-pair", "--output-key-prefix", prefix],
            cwd=folder,
            env={**os.environ, "COSIGN_PASSWORD": ""},
            check=True,
            capture_output=True,
        )
    return folder


@pytest.fixture
def offline(logged_in: Registry, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """The registry, with a proxy that nobody runs for every other host: whoever asks one fails."""
    dead = f"http://127.0.0.1:{free_port()}"
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, dead)
    return logged_in


def sign(cosign: Path, key: Path, image: str, *options: str) -> None:
    subprocess.run(
        [cosign, "sign", "--key", key, "--tlog-upload=false", "--use-signing-config=false", "--yes", *options, image],
        env={**os.environ, "COSIGN_PASSWORD": ""},
        check=True,
        capture_output=True,
    )


def refusal(image: str, key: Path) -> SignatureError:
    with pytest.raises(SignatureError) as caught:
        verify(image, key=key)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 1
    return caught.value


@pytest.mark.parametrize("options", [(), ("--new-bundle-format=false",)], ids=["bundle", "signature tag"])
def test_a_signed_image_passes_without_any_other_host(
    offline: Registry, cosign: Path, keys: Path, options: tuple[str, ...]
) -> None:
    image = f"{offline.host}/shop/signed@{offline.push('shop/signed', '1.0.0', text=str(options))}"
    sign(cosign, keys / "cosign.key", image, *options)
    verify(image, key=keys / "cosign.pub")


def test_an_index_is_signed_as_a_whole(offline: Registry, cosign: Path, keys: Path) -> None:
    index = offline.push("shop/multi", "1.0.0", platforms=("linux/amd64", "linux/arm64"))
    sign(cosign, keys / "cosign.key", f"{offline.host}/shop/multi@{index}")
    verify(f"{offline.host}/shop/multi@{index}", key=keys / "cosign.pub")


def test_an_unsigned_image_is_blocked(offline: Registry, keys: Path) -> None:
    image = f"{offline.host}/shop/plain@{offline.push('shop/plain', '1.0.0')}"
    error = refusal(image, keys / "cosign.pub")
    assert (error.code, str(error)) == ("not-signed", "it is not signed")


@pytest.mark.parametrize("options", [(), ("--new-bundle-format=false",)], ids=["bundle", "signature tag"])
def test_an_image_signed_by_another_key_is_blocked(
    offline: Registry, cosign: Path, keys: Path, options: tuple[str, ...]
) -> None:
    image = f"{offline.host}/shop/other@{offline.push('shop/other', '1.0.0', text=str(options))}"
    sign(cosign, keys / "other.key", image, *options)
    error = refusal(image, keys / "cosign.pub")
    assert (error.code, str(error)) == ("wrong-key", "it is signed, but not by the key cosign.pub")


@pytest.mark.parametrize(
    ("options", "suffix"), [((), ""), (("--new-bundle-format=false",), ".sig")], ids=["bundle", "signature tag"]
)
def test_the_signature_of_another_image_is_blocked(
    offline: Registry, cosign: Path, keys: Path, options: tuple[str, ...], suffix: str
) -> None:
    signed = offline.push("shop/mixed", "1.0.0", text=f"signed {options}")
    false = offline.push("shop/mixed", "2.0.0", text=f"false {options}")
    sign(cosign, keys / "cosign.key", f"{offline.host}/shop/mixed@{signed}", *options)
    offline.tag("shop/mixed", signed.replace(":", "-") + suffix, false.replace(":", "-") + suffix)
    error = refusal(f"{offline.host}/shop/mixed@{false}", keys / "cosign.pub")
    assert (error.code, str(error)) == ("other-image", "its signature is for another image")


def test_a_registry_that_is_gone_leaves_it_open_and_blocks(keys: Path, no_credentials: None) -> None:
    error = refusal(f"127.0.0.1:{free_port()}/shop/app@sha256:{'0' * 64}", keys / "cosign.pub")
    assert error.code == "unknown"
    assert str(error).startswith("can't tell whether it is signed: ")


def test_without_credentials_it_is_not_taken_for_unsigned(
    registry: Registry, no_credentials: None, monkeypatch: pytest.MonkeyPatch, keys: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(registry.certificate))
    image = f"{registry.host}/shop/app@{registry.push('shop/app', '1.0.0')}"
    error = refusal(image, keys / "cosign.pub")
    assert error.code == "unknown"
    assert "UNAUTHORIZED" in str(error)


def test_a_file_that_is_no_key_is_named(offline: Registry, tmp_path: Path) -> None:
    image = f"{offline.host}/shop/app@{offline.push('shop/app', '1.0.0')}"
    (tmp_path / "cosign.pub").write_text("no key")
    with pytest.raises(UserError) as caught:
        verify(image, key=tmp_path / "cosign.pub")
    assert str(caught.value) == "cosign.pub: is not a public key in cosign's format"


def test_a_tag_has_no_signature(keys: Path) -> None:
    with pytest.raises(UserError) as caught:
        verify("ghcr.io/example/app:1", key=keys / "cosign.pub")
    assert str(caught.value) == "image 'ghcr.io/example/app:1': name its digest: a signature belongs to a digest"
