"""The fast reader of pins: it says what the exact one says, and reads what stays the same of an overlay once."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from cartwright.history.pins import read_pins
from cartwright.history.release import read_release
from tests.promotion.hostile import Document, documents

DIGEST = "sha256:" + "a" * 64


def overlay(tag: str, digest: str = DIGEST, *, name: str = "a") -> str:
    return f"kind: Kustomization\nimages:\n  - name: {name}\n    newTag: {tag}\n    digest: {digest}\n"


def exact(text: str) -> object:
    try:
        return sorted((pin.image, pin.tag, pin.digest, pin.source) for pin in read_release(text, "file").pins)
    except Exception as error:
        return str(error)


def fast(text: str) -> object:
    try:
        return [(pin.image, pin.tag, pin.digest, pin.source) for pin in read_pins(text, "file")]
    except Exception as error:
        return str(error)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(overlay("1.0 # why"), id="comment"),
        pytest.param(overlay("1.0#x"), id="no comment"),
        pytest.param(overlay("1.0\n      more"), id="goes on in the next line"),
        pytest.param(overlay("1.0", "&d sha256:aa") + "  - {name: b, digest: *d}\n", id="anchor and alias"),
        pytest.param(overlay("1.0", "*d"), id="alias of nothing"),
        pytest.param("note: |\n  newTag: 9.9\n" + overlay("1.0"), id="in a block of text"),
        pytest.param('note: "\n  newTag: 9.9\n  "\n' + overlay("1.0"), id="in a quoted text"),
        pytest.param("newTag: 9.9\n" + overlay("1.0"), id="at the top"),
        pytest.param(overlay("1.0") + "    newTag: 1.1\n", id="twice in an entry"),
        pytest.param(overlay("1.0") + overlay("1.1").partition("images:\n")[2].replace("a\n", "b\n"), id="two"),
        pytest.param(overlay("cartwright0stand0in0"), id="the stand-in itself"),
        pytest.param(overlay("cartwright0stand0in01", name="cartwright0stand0in0"), id="names like the stand-in"),
        pytest.param(overlay("1.0").replace("\n", "\r\n"), id="carriage returns"),
        pytest.param("images: {\n  newTag: 1.0\n}\n", id="no list"),
        pytest.param("", id="empty"),
    ],
)
def test_the_fast_reader_takes_odd_texts_as_the_exact_one_does(text: str) -> None:
    assert fast(text) == exact(text)


@settings(max_examples=150, deadline=None)
@given(documents(), st.sampled_from(["1.2.3", "on", "1_000"]), st.sampled_from([DIGEST, "sha256:12"]))
def test_the_fast_reader_takes_every_style_as_the_exact_one_does(document: Document, tag: str, digest: str) -> None:
    text = document.text
    assert fast(text) == exact(text)
    moved = text.replace("1.2.3", tag).replace(DIGEST, digest)
    assert fast(moved) == exact(moved)


def test_an_overlay_is_composed_once_for_all_its_tags(monkeypatch: pytest.MonkeyPatch) -> None:
    composed: list[str] = []
    real = yaml.compose_all

    def counting(text: str, **options: object) -> object:
        composed.append(text)
        return real(text, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("cartwright.history.pins.yaml.compose_all", counting)
    texts = [overlay(f"1.{number}.0", f"sha256:{number:064}", name="composed-once") for number in range(20)]
    assert [read_pins(text, "file")[0].tag for text in texts] == [f"1.{number}.0" for number in range(20)]
    assert len(composed) == 1
