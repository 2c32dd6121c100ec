"""What `check` says of admission in later environments: its rules are a release, so they may be older than main's.

`check` judges every environment by main's rules. A cluster's Gatekeeper has those that its environment's release of
Gatekeeper brought. A parameter that only newer rules know would satisfy `check` and be ignored by the cluster.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cartwright.kernel.findings import Finding
from cartwright.policy.gatekeeper import rule_sources
from cartwright.policy.patches import APP
from cartwright.tree.environments import Environment
from cartwright.tree.render import Rendered
from cartwright.tree.repository import FolderTree
from cartwright.yaml.read import line_of, nodes

__all__ = ["unknown_parameters"]


def unknown_parameters(one: Rendered, environment: Environment, tree: FolderTree) -> Iterator[Finding]:
    """The parameters that a later environment sets and its release of Gatekeeper does not read. Rule ``rules-behind``.

    A rule that the release does not have at all is no finding: nothing asks it there yet.

    Args:
        one: the environment's Gatekeeper.
        environment: whose parameters.
        tree: the files.
    """
    if not environment.upstreams:
        return
    code = rule_sources(resource.content for resource in one.resources)
    for rule, values in environment.parameters.items():
        text = code.get(rule.replace("-", "_"))
        for name in values:
            if text is None or re.search(rf"\binput\.parameters(?:\.{re.escape(name)}\b|(?![.\w]))", text):
                continue
            root = next(nodes(tree.text(environment.file), environment.file))
            yield Finding(
                file=environment.file,
                line=line_of(root, ("policies", rule, name))[0],
                rule="rules-behind",
                severity="error",
                message=f"the rules that {environment.name}'s cluster has do not know parameter {name} of {rule}, so "
                "admission would ignore it; first bring them there: "
                f"`cartwright promote {APP} --from {environment.upstreams[0]} --to {environment.name}`",
            )
