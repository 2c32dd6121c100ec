"""What of the embedded cluster a browser or a client can be pointed at."""

from __future__ import annotations

from dataclasses import dataclass

from cartwright.cluster.node.door import door_url
from cartwright.cluster.node.lifecycle import REGISTRY
from cartwright.cluster.state import Layout, State
from cartwright.kernel.ports import LOOPBACK

__all__ = ["Page", "pages"]


@dataclass(frozen=True)
class Page:
    """One address."""

    name: str
    url: str
    credentials: str
    """What one shows there; ``none`` where nothing is asked for."""


def pages(layout: Layout, state: State) -> tuple[Page, ...]:
    """Every address that answers, the shop's first."""
    found = []
    if state.real:
        door = door_url(state)
        found += [
            Page("shop: products", f"{door}/products", "none"),
            Page("shop: its API as OpenAPI", f"{door}/openapi.json", "none"),
            Page("images built here", f"http://{LOOPBACK}:{state.ports[REGISTRY]}/v2/_catalog", "none"),
        ]
    found += [
        Page(
            f"Kubernetes API of {environment}",
            f"https://{LOOPBACK}:{state.ports[f'kube-apiserver-{environment}']}",
            f"KUBECONFIG={layout.kubeconfig(environment)}",
        )
        for environment in state.environments
    ]
    return tuple(found)
