"""Judging: what is wrong with the environments, each finding at the line of source that caused it.

Policies are Rego (``policies/``); here objects are found, fed to them, and findings are traced back to their source.
What is judged in Python is what Rego can't know: files, builds, and which Application owns an object.
"""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from cartwright import memo
from cartwright.applications import Application, find_applications, unreached
from cartwright.entries import idle_entries
from cartwright.environments import Environment, load_environments, pick_environment
from cartwright.errors import UserError, nearest
from cartwright.findings import CheckReport, Coverage, Finding, ResourceRef, findings_from_cache
from cartwright.lint import lint
from cartwright.policy.documents import Document
from cartwright.policy.engine import PolicyFinding, evaluate_documents
from cartwright.policy.model import Rule, load_rules
from cartwright.policy.parameters import parameters_of
from cartwright.policy.waivers import apply_waivers
from cartwright.render import Rendered, RenderFailure, render
from cartwright.repository import Tree
from cartwright.resources import Identity
from cartwright.schema_check import SchemaProblem, check_schemas
from cartwright.sources import SourceMap
from cartwright.tools import require

__all__ = ["judge"]

_TOOLS = ("kustomize", "kubeconform", "conftest")


def judge(
    tree: Tree,
    *,
    environments: Sequence[str],
    apps: Sequence[str],
    use_cache: bool,
    today: datetime.date,
) -> CheckReport:
    """Do what `cartwright.verdict.check` promises, with renderings and partial verdicts from the cache at most.

    Arguments and errors are those of `cartwright.verdict.check`.
    """
    return _Check(tree, environments, apps, use_cache, today).run()


@dataclass(frozen=True)
class _Judged:
    """A finding together with where it belongs, before it is reported."""

    finding: Finding
    application: Application | None


class _Check:
    """One run over one tree."""

    def __init__(
        self, tree: Tree, environments: Sequence[str], apps: Sequence[str], use_cache: bool, today: datetime.date
    ) -> None:
        self.tree = tree
        self.use_cache = use_cache
        self.today = today
        known = load_environments(tree)
        self.known_environments = tuple(known)
        chosen = [pick_environment(known, name).name for name in environments] or list(known)
        self.environments = {name: known[name] for name in known if name in chosen}
        self.all_applications = find_applications(tree, known)
        self.applications = [one for one in self.all_applications if one.environment in self.environments]
        self.reported = _pick_apps(self.applications, apps)
        self.sources = SourceMap(tree)
        self.rules = load_rules(tree.root / "policies")

    def run(self) -> CheckReport:
        if not self.applications:
            raise UserError("no ApplicationSet reaches any overlay", file="argocd")
        require(_TOOLS)  # built before anything runs in threads, so that progress lines come one by one
        with ThreadPoolExecutor(max_workers=1) as beside:
            # Linting needs no rendering, and one long build (a CRD bundle) leaves a core idle.
            linted = beside.submit(self._lint)
            rendered, failures = render(self.tree, self.applications, use_cache=self.use_cache)
        steps: list[Callable[[], list[_Judged]]] = [
            linted.result,
            lambda: self._schemas(rendered),
            *(
                (lambda one=environment: self._policies(one, _of(rendered, one)))
                for environment in self.environments.values()
            ),
            lambda: list(self._ownership(rendered)),
            lambda: self._idle(rendered),
        ]
        with ThreadPoolExecutor(max_workers=os.cpu_count() or 2) as pool:
            judged = [one for step in pool.map(lambda step: step(), steps) for one in step]
        judged += [_Judged(_failure(failure), failure.application) for failure in failures]
        judged += [_Judged(finding, None) for finding in self._unreached()]
        kept = [
            (one.application.environment if one.application else "", one.finding)
            for one in judged
            if one.application is None or one.application in self.reported
        ]
        in_part = {one.environment for one in self.applications if one not in self.reported}
        in_part |= {failure.application.environment for failure in failures}
        findings = apply_waivers(
            kept,
            self.tree.root,
            known_rules=[rule.id for rule in self.rules],
            known_environments=self.known_environments,
            judged=[name for name in self.environments if name not in in_part],
            today=self.today,
        )
        return CheckReport(
            coverage=Coverage(
                environments=len(self.environments),
                overlays=len(self.reported),
                files=len(self._source_files()),
                objects=sum(len(one.resources) for one in rendered if one.application in self.reported),
                rules=len(self.rules),
            ),
            findings=tuple(sorted(set(findings))),
        )

    def _source_files(self) -> list[str]:
        """YAML files that are linted: everything that is rendered or configures it, fixtures left out."""
        return [
            path
            for path in self.tree.content_files
            if path.endswith((".yaml", ".yml")) and not path.startswith("policies/rules/")
        ]

    def _lint(self) -> list[_Judged]:
        return [_Judged(finding, None) for finding in lint(self.tree, self._source_files(), use_cache=self.use_cache)]

    def _schemas(self, rendered: Sequence[Rendered]) -> list[_Judged]:
        from cartwright.schemas import schema_folder

        keys = {
            one: memo.digest(["schema", memo.code_hash(), one.application.path, one.key, schema_folder().name])
            for one in rendered
        }
        stored = {one: memo.load("verdicts", keys[one]) if self.use_cache else None for one in rendered}
        missing = [one for one in rendered if stored[one] is None]
        problems = check_schemas(list(dict.fromkeys(one.file for one in missing)))
        judged = []
        for one in rendered:
            known = stored[one]
            if known is None:
                findings = [self._schema_finding(one, problem) for problem in problems.get(one.file, ())]
                memo.store("verdicts", keys[one], [asdict(finding) for finding in findings])
            else:
                findings = list(findings_from_cache(known))
            judged += [_Judged(finding, one.application) for finding in findings]
        return judged

    def _schema_finding(self, rendered: Rendered, problem: SchemaProblem) -> Finding:
        content = next(
            (
                resource.content
                for resource in rendered.resources
                if (resource.identity.kind, resource.identity.name) == (problem.kind, problem.name)
            ),
            {"kind": problem.kind, "metadata": {"name": problem.name}},
        )
        file, line = self.sources.locate(rendered.closure, content, problem.place)
        where = ".".join(problem.field)
        return Finding(
            file=file,
            line=line,
            rule="schema",
            severity="error",
            message=f"{where + ': ' if where else ''}{problem.message}",
            resource=_reference(content),
        )

    def _policies(self, environment: Environment, rendered: Sequence[Rendered]) -> list[_Judged]:
        """Rules of scope object are remembered per overlay; those of scope environment see all of its objects."""
        parameters = parameters_of(self.tree, environment)
        base = [memo.code_hash(), self._rules_hash(), json.dumps(parameters, sort_keys=True)]
        keys = {("object", one): memo.digest(["object", one.application.path, one.key, *base]) for one in rendered}
        across = memo.digest(["environment", *(f"{one.application.path} {one.key}" for one in rendered), *base])
        keys |= {("environment", one): memo.digest([across, one.application.name]) for one in rendered}
        stored = {place: memo.load("verdicts", key) if self.use_cache else None for place, key in keys.items()}
        alone = [one for one in rendered if stored["object", one] is None]
        together = [one for one in rendered if stored["environment", one] is None]
        fresh: dict[tuple[str, Rendered], list[Finding]] = {}
        if alone and together and len(alone) == len(rendered):
            fresh = self._evaluate(rendered, parameters, scopes=("object", "environment"))
        else:
            fresh |= self._evaluate(alone, parameters, scopes=("object",)) if alone else {}
            fresh |= self._evaluate(rendered, parameters, scopes=("environment",)) if together else {}
        judged: list[_Judged] = []
        for place, key in keys.items():
            known = stored[place]
            findings = fresh[place] if known is None else list(findings_from_cache(known))
            if known is None:
                memo.store("verdicts", key, [asdict(finding) for finding in findings])
            judged += [_Judged(finding, place[1].application) for finding in findings]
        return judged

    @cache  # noqa: B019 - one check lives as long as its process
    def _rules_hash(self) -> str:
        files = [
            path
            for path in self.tree.content_files
            if path.startswith("policies/") and path.endswith(".rego") and not path.endswith("_test.rego")
        ]
        return memo.digest(f"{path} {self.tree.hash(path)}" for path in files)

    def _evaluate(
        self, rendered: Sequence[Rendered], parameters: Mapping[str, Mapping[str, Any]], *, scopes: Sequence[str]
    ) -> dict[tuple[str, Rendered], list[Finding]]:
        """Findings of the rules of these scopes, by scope and application; one conftest process."""
        scope_of = {rule.id: rule.scope for rule in self.rules if rule.scope in scopes}
        by_name = {one.application.name: one for one in rendered}
        found: dict[tuple[str, Rendered], list[Finding]] = {(scope, one): [] for scope in scopes for one in rendered}
        if not scope_of:
            return found
        documents = [
            Document(path=name, index=resource.index, object=resource.content)
            for name, one in by_name.items()
            for resource in one.resources
        ]
        evaluation = evaluate_documents(
            documents,
            _known(parameters, self.rules),
            require(["conftest"])["conftest"],
            policies=self.tree.root / "policies",
            only=list(scope_of),
        )
        for one in evaluation.findings:
            owner = by_name[one.file]
            found[scope_of[one.rule], owner].append(self._policy_finding(owner, one))
        return found

    def _policy_finding(self, rendered: Rendered, found: PolicyFinding) -> Finding:
        content = rendered.resources[found.document].content
        file, line = self.sources.locate(rendered.closure, content, found.field)
        return Finding(
            file=file,
            line=line,
            rule=found.rule,
            severity=found.severity,
            message=found.message,
            resource=_reference(content),
        )

    def _ownership(self, rendered: Sequence[Rendered]) -> Iterator[_Judged]:
        """Objects that two Applications of one cluster both hold: each would undo the other's."""
        owners: dict[tuple[str, Identity], Rendered] = {}
        for one in rendered:
            for resource in one.resources:
                first = owners.setdefault((one.application.cluster, resource.identity), one)
                if first is not one or resource is not _first(one, resource.identity):
                    file, line = self.sources.locate(one.closure, resource.content)
                    yield _Judged(
                        Finding(
                            file=file,
                            line=line,
                            rule="duplicate-object",
                            severity="error",
                            message=f"{resource.identity} is in Application {first.application.name} as well as in "
                            f"{one.application.name}; keep it in one",
                            resource=_reference(resource.content),
                        ),
                        one.application,
                    )

    def _idle(self, rendered: Sequence[Rendered]) -> list[_Judged]:
        judged = []
        for one in rendered:
            key = memo.digest(["idle", one.application.path, one.key, memo.code_hash()])
            known = memo.load("verdicts", key) if self.use_cache else None
            if known is None:
                findings = tuple(idle_entries(one, self.sources))
                memo.store("verdicts", key, [asdict(finding) for finding in findings])
            else:
                findings = findings_from_cache(known)
            judged += [_Judged(finding, one.application) for finding in findings]
        return judged

    def _unreached(self) -> Iterator[Finding]:
        for file in unreached(self.tree, self.all_applications):
            yield Finding(
                file=file,
                line=1,
                rule="unreached-overlay",
                severity="error",
                message="no ApplicationSet reaches this overlay, so it is never deployed; "
                "overlays stand in environments/<environment>/<group>/<app>",
            )


def _known(parameters: Mapping[str, Mapping[str, Any]], rules: Sequence[Rule]) -> Mapping[str, Mapping[str, Any]]:
    """The parameters, after a look at the rule ids that they name."""
    ids = {rule.id for rule in rules}
    for rule in parameters:
        if rule not in ids:
            raise UserError(f"parameters for '{rule}', which is no rule", file="environments", hint=nearest(rule, ids))
    return parameters


def _first(rendered: Rendered, identity: Identity) -> object:
    return next(resource for resource in rendered.resources if resource.identity == identity)


def _of(rendered: Sequence[Rendered], environment: Environment) -> list[Rendered]:
    return [one for one in rendered if one.application.environment == environment.name]


def _failure(failure: RenderFailure) -> Finding:
    return Finding(
        file=failure.file,
        line=failure.line,
        rule="render",
        severity="error",
        message=f"{failure.application.path} can't be rendered: {failure.message}",
    )


def _reference(content: Mapping[str, Any]) -> ResourceRef:
    metadata = content.get("metadata") or {}
    return ResourceRef(
        api_version=str(content.get("apiVersion", "")),
        kind=str(content.get("kind", "")),
        namespace=str(metadata.get("namespace") or ""),
        name=str(metadata.get("name") or ""),
    )


def _pick_apps(applications: Sequence[Application], apps: Sequence[str]) -> list[Application]:
    """The applications that any of the given words names, by ``group/name``, ``name`` or Application name."""
    if not apps:
        return list(applications)
    words = {word: one for one in applications for word in (one.app, one.app.rsplit("/", 1)[-1], one.name)}
    for app in apps:
        if app not in words:
            raise UserError(f"no app '{app}'", hint=nearest(app, words))
    return [one for one in applications if {one.app, one.app.rsplit("/", 1)[-1], one.name}.intersection(apps)]
