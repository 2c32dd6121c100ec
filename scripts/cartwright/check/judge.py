"""Judging: what is wrong with the environments, each finding at the line of source that caused it.

Policies are Rego (``policies/``); here objects are found, fed to them, and findings are traced back to their source.
What is judged in Python is what Rego can't know: files, builds, and which Application owns an object.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial

from cartwright.check.admission import unknown_parameters
from cartwright.check.conformance import SchemaProblem, check_schemas
from cartwright.check.hub import NAME as HUB
from cartwright.check.hub import read_hub
from cartwright.check.idle import idle_entries
from cartwright.check.lint import lint
from cartwright.check.releases import edited_releases, leading_out
from cartwright.check.rules import Judged, PolicyCheck
from cartwright.kernel import memo
from cartwright.kernel.errors import UserError, nearest
from cartwright.kernel.findings import CheckReport, Coverage, Finding, findings_from_cache
from cartwright.kernel.identity import Identity, identity_of
from cartwright.policy.model import load_rules
from cartwright.policy.patches import APP as GATEKEEPER
from cartwright.policy.waivers import apply_waivers
from cartwright.tools import require
from cartwright.tree.applications import Application, find_applications, unreached
from cartwright.tree.beginnings import components_of
from cartwright.tree.closure import kustomization_file
from cartwright.tree.environments import Environment, load_environments, pick_environment
from cartwright.tree.owned import read_owned
from cartwright.tree.render import Rendered, RenderFailure, render
from cartwright.tree.repository import FolderTree
from cartwright.tree.sources import SourceMap
from cartwright.yaml.read import line_of, nodes

__all__ = ["judge"]

_TOOLS = ("kustomize", "kubeconform", "conftest")


def judge(
    tree: FolderTree,
    *,
    environments: Sequence[str],
    apps: Sequence[str],
    use_cache: bool,
    today: datetime.date,
) -> CheckReport:
    """Do what `cartwright.check.cached.check` promises, with renderings and partial verdicts from the cache at most.

    Arguments and errors are those of `cartwright.check.cached.check`.
    """
    return _Check(tree, environments, apps, use_cache, today).run()


class _Check:
    """One run over one tree."""

    def __init__(
        self, tree: FolderTree, environments: Sequence[str], apps: Sequence[str], use_cache: bool, today: datetime.date
    ) -> None:
        self.tree = tree
        self.use_cache = use_cache
        self.today = today
        known = self.known = load_environments(tree)
        self.known_environments = tuple(known)
        chosen = [pick_environment(known, name).name for name in environments] or list(known)
        self.environments = {name: known[name] for name in known if name in chosen}
        self.all_applications = find_applications(tree, known)
        read_owned(tree)  # what is wrong with it is said before anything is judged
        self.applications = [one for one in self.all_applications if one.environment in self.environments]
        self.compared = _with_upstreams(known, self.environments)
        self.reported = _pick_apps(self.applications, apps)
        self.sources = SourceMap(tree)
        self.rules = load_rules(tree.root / "policies")
        self._content = frozenset(tree.content_files)

    def run(self) -> CheckReport:
        if not self.applications:
            raise UserError("no ApplicationSet reaches any overlay", file="argocd")
        require(_TOOLS)  # built before anything runs in threads, so that progress lines come one by one
        with ThreadPoolExecutor(max_workers=1) as beside:
            # Linting needs no rendering, and one long build (a CRD bundle) leaves a core idle.
            linted = beside.submit(self._lint)
            hub = read_hub(self.tree, self.all_applications, use_cache=self.use_cache)
            seen = [one for one in self.all_applications if one.environment in self.compared]
            everything, broken = render(self.tree, seen, use_cache=self.use_cache)
        rendered = [one for one in everything if one.application.environment in self.environments]
        failures = [one for one in broken if one.application.environment in self.environments]
        policies = PolicyCheck(
            self.tree,
            environments=self.compared,
            rules=self.rules,
            rendered=everything,
            hub=hub,
            known=self.known,
            sources=self.sources,
            use_cache=self.use_cache,
        )
        steps: list[Callable[[], list[Judged]]] = [
            linted.result,
            lambda: self._schemas(rendered),
            lambda: policies.run(list(self.environments)),
            lambda: list(self._ownership(rendered)),
            lambda: self._idle(rendered),
            lambda: self._releases(rendered),
            lambda: self._rules_behind(rendered),
        ]
        with ThreadPoolExecutor(max_workers=os.cpu_count() or 2) as pool:
            judged = [one for step in pool.map(lambda step: step(), steps) for one in step]
        judged += [Judged(_failure(failure), failure.application) for failure in failures]
        judged += [Judged(_failure(failure), None) for failure in hub.failures]
        judged += [Judged(finding, None) for finding in (*self._unreached(), *self._beginnings())]
        about_hub = {rule.id for rule in self.rules if rule.scope == "hub"}
        kept = [
            (
                HUB if one.finding.rule in about_hub else one.application.environment if one.application else "",
                one.finding,
            )
            for one in judged
            if one.application is None or one.application in self.reported
        ]
        in_part = {one.environment for one in self.applications if one not in self.reported}
        in_part |= {HUB} if in_part or hub.failures or len(self.environments) < len(self.known_environments) else set()
        in_part |= {failure.application.environment for failure in failures}
        findings = apply_waivers(
            kept,
            self.tree.root,
            known_rules=[rule.id for rule in self.rules],
            known_environments=[*self.known_environments, HUB],
            judged=[name for name in (*self.environments, HUB) if name not in in_part],
            today=self.today,
        )
        return CheckReport(
            coverage=Coverage(
                environments=len(self.environments),
                overlays=len(self.reported),
                files=len(self._source_files()),
                objects=len(hub.objects)
                + sum(len(one.resources) for one in rendered if one.application in self.reported),
                rules=len(self.rules),
            ),
            findings=tuple(sorted(set(findings))),
            lasting=not broken and not hub.failures and all(self._is_lasting(one) for one in everything),
        )

    def _is_lasting(self, rendered: Rendered) -> bool:
        """Whether the tree's content hash stands for all that a build read: hidden files, say, are not in it."""
        return rendered.closure.complete and self._content.issuperset(rendered.closure.files)

    def _source_files(self) -> list[str]:
        """YAML files that are linted: everything that is rendered or configures it, without the cases of rules."""
        return [
            path
            for path in self.tree.content_files
            if path.endswith((".yaml", ".yml")) and not path.startswith("policies/rules/")
        ]

    def _lint(self) -> list[Judged]:
        return [Judged(finding, None) for finding in lint(self.tree, self._source_files(), use_cache=self.use_cache)]

    def _schemas(self, rendered: Sequence[Rendered]) -> list[Judged]:
        from cartwright.policy.schemas import schema_folder

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
            judged += [Judged(finding, one.application) for finding in findings]
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
            resource=identity_of(content),
        )

    def _ownership(self, rendered: Sequence[Rendered]) -> Iterator[Judged]:
        """Objects that two Applications of one cluster both hold: each would undo the other's."""
        owners: dict[tuple[str, Identity], Rendered] = {}
        for one in rendered:
            for resource in one.resources:
                first = owners.setdefault((one.application.cluster, resource.identity), one)
                if first is not one or resource is not _first(one, resource.identity):
                    file, line = self.sources.locate(one.closure, resource.content)
                    yield Judged(
                        Finding(
                            file=file,
                            line=line,
                            rule="duplicate-object",
                            severity="error",
                            message=f"{resource.identity} is in Application {first.application.name} as well as in "
                            f"{one.application.name}; keep it in one",
                            resource=resource.identity,
                        ),
                        one.application,
                    )

    def _idle(self, rendered: Sequence[Rendered]) -> list[Judged]:
        return [
            judged
            for one in rendered
            for judged in self._once("idle", one, "", partial(idle_entries, one, self.sources))
        ]

    def _rules_behind(self, rendered: Sequence[Rendered]) -> list[Judged]:
        found = []
        for one in rendered:
            environment = self.known.get(one.application.environment)
            if environment is not None and one.application.app == GATEKEEPER:
                said = self.tree.text(environment.file)
                found += self._once("behind", one, said, partial(unknown_parameters, one, environment, self.tree))
        return found

    def _once(self, name: str, one: Rendered, facts: str, find: Callable[[], Iterable[Finding]]) -> list[Judged]:
        """What is found of one build, kept by its key and whatever else the verdict depends on."""
        key = memo.digest([name, one.application.path, one.key, facts, memo.code_hash()])
        known = memo.load("verdicts", key) if self.use_cache else None
        if known is None:
            findings = tuple(find())
            memo.store("verdicts", key, [asdict(finding) for finding in findings])
        else:
            findings = findings_from_cache(known)
        return [Judged(finding, one.application) for finding in findings]

    def _releases(self, rendered: Sequence[Rendered]) -> list[Judged]:
        found = [*leading_out(rendered, self.known, self.tree)]
        found += edited_releases(self.tree, [one.application for one in rendered], self.known)
        return [Judged(finding, application) for finding, application in found]

    def _unreached(self) -> Iterator[Finding]:
        for file in unreached(self.tree, self.all_applications):
            yield Finding(
                file=file,
                line=1,
                rule="unreached-overlay",
                severity="error",
                message="no ApplicationSet reaches this overlay, so it is never deployed; "
                "overlays belong in environments/<environment>/<group>/<app>",
            )

    def _beginnings(self) -> Iterator[Finding]:
        """What the first promotion of an app would stumble over."""
        for environment in self.environments.values():
            for place, component in components_of(environment):
                if kustomization_file(self.tree, component) is None:
                    root = next(nodes(self.tree.text(environment.file), environment.file))
                    yield Finding(
                        file=environment.file,
                        line=line_of(root, place)[0],
                        rule="missing-component",
                        severity="error",
                        message=f"no component at {component}, with which the overlay of a new app would begin; "
                        "correct the path or remove it",
                    )


def _first(rendered: Rendered, identity: Identity) -> object:
    return next(resource for resource in rendered.resources if resource.identity == identity)


def _failure(failure: RenderFailure) -> Finding:
    return Finding(
        file=failure.file,
        line=failure.line,
        rule="render",
        severity="error",
        message=f"{failure.application.path} can't be rendered: {failure.message}",
    )


def _with_upstreams(known: Mapping[str, Environment], chosen: Mapping[str, Environment]) -> dict[str, Environment]:
    """These environments and all that a version passes before it comes there, lowest rank first."""
    wanted, pending = set(chosen), list(chosen.values())
    while pending:
        new = set(pending.pop().upstreams) - wanted
        wanted |= new
        pending += [known[name] for name in new]
    return {name: environment for name, environment in known.items() if name in wanted}


def _pick_apps(applications: Sequence[Application], apps: Sequence[str]) -> list[Application]:
    """The applications that any of the given words names, by ``group/name``, ``name`` or Application name."""
    if not apps:
        return list(applications)
    words = {word: one for one in applications for word in (one.app, one.app.rsplit("/", 1)[-1], one.name)}
    for app in apps:
        if app not in words:
            raise UserError(f"no app '{app}'", hint=nearest(app, words))
    return [one for one in applications if {one.app, one.app.rsplit("/", 1)[-1], one.name}.intersection(apps)]
