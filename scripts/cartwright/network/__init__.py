"""NetworkPolicies from the declared dependency map: who talks to whom, and nothing else."""

from cartwright.network.policies import generate
from cartwright.tree.dependencies import App, Call, DependencyMap, load_dependencies, parse_dependencies

__all__ = ["App", "Call", "DependencyMap", "generate", "load_dependencies", "parse_dependencies"]
