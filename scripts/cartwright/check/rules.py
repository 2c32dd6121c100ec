"""The rules, asked about all that was rendered: what is not known yet, in one go, and the rest from the cache.

How long a verdict lasts follows from the rule's scope. ``object``: while the overlay's rendering is the same.
``environment``: while all of the environment's are. ``fleet``: while every rendering, the order and the history are.
``hub``: while all below ``argocd/`` is, and every generated Application.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from cartwright.check.hub import NAME as HUB_NAME
from cartwright.check.hub import Hub
from cartwright.kernel import memo
from cartwright.kernel.errors import UserError, nearest
from cartwright.kernel.findings import Finding, findings_from_cache
from cartwright.kernel.identity import identity_of
from cartwright.policy.adapter import Fleet, Realm
from cartwright.policy.documents import Document
from cartwright.policy.engine import PolicyFinding, evaluate_fleets
from cartwright.policy.facts import read_facts
from cartwright.policy.model import Rule
from cartwright.policy.parameters import parameters_of
from cartwright.tools import require
from cartwright.tree.applications import Application
from cartwright.tree.environments import Environment
from cartwright.tree.render import Rendered
from cartwright.tree.repository import FolderTree
from cartwright.tree.sources import SourceMap

__all__ = ["Judged", "PolicyCheck"]


@dataclass(frozen=True)
class Judged:
    """A finding together with where it belongs, before it is reported."""

    finding: Finding
    application: Application | None


class PolicyCheck:
    """What the rules are asked about one tree, and their answers."""

    def __init__(
        self,
        tree: FolderTree,
        *,
        environments: Mapping[str, Environment],
        rules: Sequence[Rule],
        rendered: Sequence[Rendered],
        hub: Hub,
        known: Mapping[str, Environment],
        sources: SourceMap,
        use_cache: bool,
    ) -> None:
        """Take what was rendered.

        Args:
            tree: the files.
            environments: those that objects are of, lowest rank first: what is to be judged and all upstream of it.
            rules: every rule of the tree.
            rendered: all Applications of these environments.
            hub: what Argo CD's cluster holds.
            known: every environment of the tree: Argo CD serves them all, whichever are judged.
            sources: finds the lines.
            use_cache: take known verdicts from the cache.
        """
        self._tree = tree
        self._environments = environments
        self._known = known
        self._rules = {rule.id: rule for rule in rules}
        self._rendered = {
            name: [one for one in rendered if one.application.environment == name] for name in environments
        }
        self._hub = hub
        self._sources = sources
        self._use_cache = use_cache
        self._parameters = {
            name: _known(parameters_of(tree, environment), self._rules) for name, environment in environments.items()
        }

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What Git tells rules of scope ``fleet``."""
        return read_facts(self._tree, use_cache=self._use_cache)

    def run(self, judged: Sequence[str]) -> list[Judged]:
        """Findings in these environments, and in the hub."""
        keys = dict(self._keys(judged))
        known = {place: memo.load("verdicts", key) if self._use_cache else None for place, key in keys.items()}
        missing = {place for place, stored in known.items() if stored is None}
        fresh: dict[_Place, list[Judged]] = {place: [] for place in missing}
        fleets = list(self._fleets(missing))
        if fleets:
            evaluation = evaluate_fleets(
                fleets,
                require(["conftest"])["conftest"],
                policies=self._tree.root / "policies",
                only=[rule.id for rule in self._rules.values() if any(place.scope == rule.scope for place in missing)],
            )
            by_name = {one.application.name: one for whole in self._rendered.values() for one in whole}
            for found in evaluation.findings:
                place, one = self._traced(found, by_name)
                if place in missing:
                    fresh[place].append(one)
        for place, findings in fresh.items():
            stored = [[one.application.name if one.application else "", asdict(one.finding)] for one in findings]
            memo.store("verdicts", keys[place], stored)
        answers = [
            one for place in keys for one in (fresh[place] if place in missing else self._restored(known[place] or ()))
        ]
        return [*answers, *self._blind(judged)]

    def realm(self, name: str, scopes: frozenset[str], *, only: Sequence[Rendered] | None = None) -> Realm:
        """The objects of an environment as the rules of these scopes are asked about them."""
        whole = self._rendered[name] if only is None else only
        return Realm(
            [
                Document(path=one.application.name, index=resource.index, object=resource.content)
                for one in whole
                for resource in one.resources
            ],
            name=name,
            upstreams=self._environments[name].upstreams,
            parameters=self._parameters[name],
            scopes=scopes,
        )

    def _asked(self, scope: str) -> bool:
        return any(rule.scope == scope for rule in self._rules.values())

    def _keys(self, judged: Sequence[str]) -> Iterator[tuple[_Place, str]]:
        """Every verdict that is to be had, with the hash of all that decides it."""
        code = [memo.code_hash(), self._rules_hash]
        of = {name: [*code, json.dumps(values, sort_keys=True)] for name, values in self._parameters.items()}
        whole = {
            name: memo.digest([*(f"{one.application.path} {one.key}" for one in found), *of[name]])
            for name, found in self._rendered.items()
        }
        if self._asked("fleet"):
            order = {name: environment.upstreams for name, environment in self._environments.items()}
            everything = memo.digest([json.dumps(order), json.dumps(self.facts, sort_keys=True), *whole.values()])
        for name in judged:
            for one in self._rendered[name]:
                app = one.application
                yield _Place("object", name, app.name), memo.digest(["object", app.path, one.key, *of[name]])
                yield _Place("environment", name, app.name), memo.digest(["environment", whole[name], app.name])
                if self._asked("fleet"):
                    yield _Place("fleet", name, app.name), memo.digest(["fleet", everything, app.name])
        if self._asked("hub"):
            told = json.dumps(self._hub_realm.parameters, sort_keys=True)
            yield _Place("hub", HUB_NAME, ""), memo.digest(["hub", self._hub.key, told, *code])

    @cached_property
    def _hub_realm(self) -> Realm:
        return self._hub.realm(self._known, tuple(self._rules.values()))

    @cached_property
    def _rules_hash(self) -> str:
        files = [
            path
            for path in self._tree.content_files
            if path.startswith("policies/") and path.endswith(".rego") and not path.endswith("_test.rego")
        ]
        return memo.digest(f"{path} {self._tree.hash(path)}" for path in files)

    def _fleets(self, missing: set[_Place]) -> Iterator[Fleet]:
        """What to ask so that nothing is missing any more, and as little besides as can be."""
        realms: list[Realm] = []
        compared = any(place.scope == "fleet" for place in missing)
        for name, rendered in self._rendered.items():
            lacking = [one for one in rendered if _Place("object", name, one.application.name) in missing]
            asked = {place.scope for place in missing if place.realm == name} & {"environment", "fleet"}
            if "environment" in asked and len(lacking) == len(rendered):
                asked.add("object")
            elif lacking:
                yield Fleet([self.realm(name, frozenset({"object"}), only=lacking)])
            if asked or compared:
                realms.append(self.realm(name, frozenset(asked)))
        if realms:
            yield Fleet(realms, self.facts if compared else {})
        if any(place.scope == "hub" for place in missing):
            yield Fleet([self._hub_realm])

    def _blind(self, judged: Sequence[str]) -> Iterator[Judged]:
        """What can't be judged here: a cut history would let every digest pass in silence."""
        compared = [name for name in judged if self._environments[name].upstreams]
        if compared and self._asked("fleet") and self.facts.get("shallow"):
            finding = Finding(
                file=self._environments[compared[0]].file,
                line=1,
                rule="shallow-history",
                severity="warning",
                message="this clone's history is cut off, so digests are not compared with what Git recorded; "
                "fetch the whole history (git fetch --unshallow)",
            )
            yield Judged(finding, None)

    def _traced(self, found: PolicyFinding, by_name: Mapping[str, Rendered]) -> tuple[_Place, Judged]:
        scope = self._rules[found.rule].scope
        application: Application | None
        if scope == "hub":
            origin = self._hub.objects[found.document]
            content, application = origin.content, origin.application
            file, line = origin.locate(self._sources, found.field)
            place = _Place(scope, found.realm, "")
        else:
            owner = by_name[found.file]
            content, application = owner.resources[found.document].content, owner.application
            file, line = self._sources.locate(owner.closure, content, found.field)
            place = _Place(scope, found.realm, owner.application.name)
        finding = Finding(
            file=file,
            line=line,
            rule=found.rule,
            severity=found.severity,
            message=found.message,
            resource=identity_of(content),
        )
        return place, Judged(finding, application)

    def _restored(self, stored: Sequence[tuple[str, Mapping[str, Any]]]) -> Iterator[Judged]:
        findings = findings_from_cache([finding for _, finding in stored])
        for (name, _), finding in zip(stored, findings, strict=True):
            yield Judged(finding, self._applications.get(name))

    @cached_property
    def _applications(self) -> dict[str, Application]:
        found = [one.application for whole in self._rendered.values() for one in whole]
        return {one.name: one for one in found + [one.application for one in self._hub.objects if one.application]}


@dataclass(frozen=True)
class _Place:
    """What a verdict is about: one Application under the rules of one scope; the hub as a whole."""

    scope: str
    realm: str
    application: str


def _known(parameters: Mapping[str, Mapping[str, Any]], rules: Mapping[str, Rule]) -> Mapping[str, Mapping[str, Any]]:
    """The parameters, after a look at the rule ids that they name."""
    for rule in parameters:
        if rule not in rules:
            raise UserError(
                f"parameters for '{rule}', which is not a rule", file="environments", hint=nearest(rule, rules)
            )
    return parameters
