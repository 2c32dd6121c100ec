"""The bases of an overlay are those outside of its folder, and those on other servers in every form."""

from __future__ import annotations

import pytest

from cartwright.history.bases import bases_of

FILE = "environments/dev/shop/catalog/kustomization.yaml"


@pytest.mark.parametrize("remote", ["https://example.com/x?ref=v1", "github.com/org/x?ref=v1", "git@example.com:x"])
def test_a_base_on_another_server_stays_as_written(remote: str) -> None:
    text = f"resources: [../../../../apps/shop/catalog, own.yaml, '{remote}']\n"
    assert bases_of(text, FILE) == ("apps/shop/catalog", remote)
