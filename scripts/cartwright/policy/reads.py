"""Which kinds a rule reads from ``data.inventory``, found in its Rego as OPA parses it.

In a cluster Gatekeeper knows other objects only of the kinds that it is told to keep (its SyncSet), and whether a rule
may refuse an object at admission depends on whether what it reads is surely there by then.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cartwright.kernel.errors import UserError
from cartwright.kernel.run import run
from cartwright.policy.model import POD_CARRYING, Kind, Rule

__all__ = ["Modules", "inventory_reads", "parse_modules"]

_INVENTORY = ("data", "inventory")
_LIBRARY = ("data", "lib", "inventory")
"""Functions here that take no kind hand out what others, which do, pick from."""
_ENTRY = ("data", "cartwright")
_DISPATCH = ("data", "lib", "dispatch")
"""Generated: it knows which rules there are."""
_POD_PATHS = (("data", "lib", "workload"), "spec_paths")
"""Who goes through this table asks for every kind that carries pods."""

Package = tuple[str, ...]


@dataclass(frozen=True)
class _Module:
    file: Path
    package: Package
    aliases: Mapping[str, Package]
    """What the module calls the packages that it imports."""
    rules: Mapping[str, Sequence[Any]]
    """Syntax trees by the name of the rule or function."""

    def parameters(self, name: str) -> list[str]:
        """Names of a function's parameters."""
        for tree in self.rules.get(name, ()):
            if arguments := tree["head"].get("args"):
                return [str(argument.get("value")) for argument in arguments]
        return []


@dataclass(frozen=True)
class Modules:
    """The Rego of all rules and of ``policies/lib``, parsed."""

    by_package: Mapping[Package, _Module]

    def libraries(self, rules: Sequence[Rule]) -> tuple[Path, ...]:
        """The files under ``policies/lib`` that rules and Gatekeeper's entry need, transitively, sorted.

        Raises:
            UserError: one of them is not there.
        """
        found: dict[Package, Path] = {}
        entry = self.by_package[_ENTRY]
        waiting = [package for package in entry.aliases.values() if package != _DISPATCH]
        waiting += [package for rule in rules for package in self._of(rule).aliases.values()]
        while waiting:
            package = waiting.pop()
            if package in found:
                continue
            module = self.by_package.get(package)
            if module is None:
                raise UserError(f"a rule imports {'.'.join(package)}, which no file is", file=Path("policies", "lib"))
            found[package] = module.file
            waiting += module.aliases.values()
        return tuple(sorted(found.values()))

    def _of(self, rule: Rule) -> _Module:
        return self.by_package["data", "cartwright", "rules", rule.package]


def parse_modules(policies: Path, rules: Sequence[Rule], opa: Path) -> Modules:
    """Parse every rule and library, in one process.

    Raises:
        UserError: OPA can't read one; its message names file and line.
    """
    libraries = [file for file in sorted(policies.glob("lib/*.rego")) if not file.name.endswith("_test.rego")]
    entry = policies / "gatekeeper" / "main.rego"
    files = {str(file): file for file in (entry, *libraries, *(rule.file for rule in rules))}
    texts = {name: file.read_text(encoding="utf-8") for name, file in files.items()}
    done = run(
        [
            opa,
            "eval",
            "--format=raw",
            "--stdin-input",
            "{name: rego.parse_module(name, text) | some name, text in input}",
        ],
        stdin=json.dumps(texts),
        accept=(0, 1, 2),
    )
    if done.returncode:
        raise UserError(f"OPA can't read the rules: {(done.stderr or done.stdout).strip()}", file=policies)
    parsed: Mapping[str, Any] = json.loads(done.stdout)
    modules = [_module(file, parsed[name]) for name, file in files.items()]
    return Modules({module.package: module for module in modules})


def inventory_reads(
    modules: Modules, rule: Rule, known: Sequence[Kind], is_installed: Callable[[Kind], bool]
) -> frozenset[Kind]:
    """The kinds that a rule may look up among the other objects; empty for one that reads none.

    Where a lookup takes its kind from the object instead of writing it down, every kind counts whose name stands in the
    same module, else every known one of the group.

    Args:
        modules: all of them.
        rule: the one asked about.
        known: the kinds that rules are about.
        is_installed: whether a cluster has a kind.

    Raises:
        UserError: a lookup could be of any kind.
    """
    walk = _Walk(modules, known, is_installed)
    walk.enter(modules._of(rule).package, "violation")
    return frozenset(walk.found)


def _module(file: Path, tree: Mapping[str, Any]) -> _Module:
    rules: dict[str, list[Any]] = {}
    for rule in tree["rules"]:
        rules.setdefault(rule["head"]["ref"][0]["value"], []).append(rule)
    aliases = {}
    for one in tree.get("imports", ()):
        path = tuple(part["value"] for part in one["path"]["value"])
        aliases[one.get("alias") or path[-1]] = path
    return _Module(file, tuple(part["value"] for part in tree["package"]["path"]), aliases, rules)


@dataclass
class _Walk:
    """Follows references from a rule's `violation` through every function that it reaches."""

    modules: Modules
    known: Sequence[Kind]
    is_installed: Callable[[Kind], bool]
    found: set[Kind] = field(default_factory=set)
    seen: set[tuple[Package, str]] = field(default_factory=set)

    def enter(self, package: Package, name: str) -> None:
        module = self.modules.by_package.get(package)
        if module is None or (package, name) in self.seen or name not in module.rules:
            return
        self.seen.add((package, name))
        for tree in module.rules[name]:
            self.visit(module, name, tree)

    def visit(self, module: _Module, inside: str, node: Any) -> None:
        if isinstance(node, list):
            self._call(module, inside, node)
            for item in node:
                self.visit(module, inside, item)
        elif isinstance(node, Mapping):
            if node.get("type") == "var":
                self.enter(module.package, str(node["value"]))
            if node.get("type") == "ref":
                self._reference(module, inside, node["value"])
            for value in node.values():
                self.visit(module, inside, value)

    def _reference(self, module: _Module, inside: str, parts: Sequence[Any]) -> None:
        package, name, rest = _target(module, parts)
        if package == _INVENTORY:
            self._lookup(module, inside, [name, *rest])
        elif package:
            if (package, name) == _POD_PATHS and (module.package == _LIBRARY or self._reads(module, inside)):
                self.found.update(POD_CARRYING)
            self.enter(package, name or "")

    def _lookup(self, module: _Module, inside: str, path: Sequence[str | None]) -> None:
        """A path below `data.inventory`: namespace, a name, version, kind; or cluster, version, kind."""
        start = 2 if path and path[0] == "namespace" else 1
        version, kind = ([*path, None, None, None, None][start:])[:2]
        if kind is not None:
            group = version.rpartition("/")[0] if version else None
            self._add(module, group, kind)
        elif module.package != _LIBRARY and "kind" not in module.parameters(inside):
            self._add(module, None, None)

    def _call(self, module: _Module, inside: str, nodes: Sequence[Any]) -> None:
        """A call of a function whose parameters are called `group` and `kind`: its arguments say what is looked up."""
        operator = nodes[0] if nodes else None
        if not (isinstance(operator, Mapping) and operator.get("type") == "ref"):
            return
        package, name, _ = _target(module, operator["value"])
        owner = self.modules.by_package.get(package or module.package)
        if owner is None or name is None:
            return
        parameters = owner.parameters(name)
        if "kind" not in parameters or not self._reads(owner, name):
            return
        values = dict(zip(parameters, nodes[1:], strict=False))
        group, kind = _literal(values.get("group")), _literal(values.get("kind"))
        if kind is None and "kind" in module.parameters(inside):
            return  # handed on: whoever calls this function says it
        self._add(module, group, kind)

    def _reads(self, module: _Module, name: str) -> bool:
        """Whether a function looks anything up, itself or through others."""
        probe = _Walk(self.modules, (), self.is_installed)
        return probe._reaches(module, name)

    def _reaches(self, module: _Module, name: str) -> bool:
        if (module.package, name) in self.seen:
            return False
        self.seen.add((module.package, name))
        for parts in _references(module.rules.get(name, ())):
            package, rule, _ = _target(module, parts)
            if package == _INVENTORY:
                return True
            if package is None and rule in module.parameters(name):
                continue  # a parameter that is called as some function is
            owner = self.modules.by_package.get(package or module.package)
            if owner is not None and rule is not None and self._reaches(owner, rule):
                return True
        return False

    def _add(self, module: _Module, group: str | None, kind: str | None) -> None:
        if group is not None and kind is not None:
            self.found.add(Kind(group, kind))
            return
        literals = {kind} if kind else set(_strings([tree for trees in module.rules.values() for tree in trees]))
        named = {one for one in self.known if one.kind in literals and group in (None, one.group)}
        if group is not None:
            named |= {one for literal in literals if self.is_installed(one := Kind(group, literal))}
        candidates = named or {one for one in self.known if one.group == group}
        if not candidates:
            raise UserError("reads objects of a kind that can't be told from its text", file=module.file)
        self.found.update(candidates)


def _target(module: _Module, parts: Sequence[Any]) -> tuple[Package | None, str | None, list[str | None]]:
    """Package, rule and the rest of a reference; no package where it is the module's own."""
    words = [_literal(part) if index else str(part.get("value")) for index, part in enumerate(parts)]
    head = words[0] or ""
    if head == "data":
        if words[1:2] == ["inventory"]:
            return _INVENTORY, (words[2] if len(words) > 2 else None), words[3:]
        package = tuple(word or "" for word in words[:3])
        return package, (words[3] if len(words) > 3 else None), words[4:]
    if head in module.aliases:
        return module.aliases[head], (words[1] if len(words) > 1 else None), words[2:]
    return None, head, words[1:]


def _literal(node: Any) -> str | None:
    return str(node["value"]) if isinstance(node, Mapping) and node.get("type") == "string" else None


def _references(node: Any) -> Iterator[Sequence[Any]]:
    """Every reference and variable below a node, as the parts of a reference."""
    if isinstance(node, list):
        for item in node:
            yield from _references(item)
    elif isinstance(node, Mapping):
        if node.get("type") == "ref":
            yield node["value"]
        elif node.get("type") == "var":
            yield [node]
        for value in node.values():
            yield from _references(value)


def _strings(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _strings(item)
    elif isinstance(node, Mapping):
        if node.get("type") == "string":
            yield str(node["value"])
        for value in node.values():
            yield from _strings(value)
