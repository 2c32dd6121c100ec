"""What a new service consists of. Its manifests are derived from those of the catalog service as they are now."""

from __future__ import annotations

import importlib.util
import json
import keyword
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from cartwright.kernel.errors import UserError
from cartwright.network import generate, parse_dependencies
from cartwright.scaffold.files import Scaffold
from cartwright.tree.dependencies import FILE as DEPENDENCIES
from cartwright.tree.dependencies import SCHEMA as DEPENDENCIES_SCHEMA
from cartwright.tree.environments import load_environments
from cartwright.tree.repository import FolderTree
from cartwright.yaml.edit import Edit, edit
from cartwright.yaml.lines import drop, insert_after, rename
from cartwright.yaml.read import load
from cartwright.yaml.scalars import needs_quotes

__all__ = ["Service", "make_scaffold"]

MODEL = "catalog"
"""The service whose base and overlays the new one gets."""
GROUP = "shop"
_DATABASES = "apps/data/postgresql/job.yaml"
_WAIVERS = "policies/waivers.yaml"
_WAIVER_DAYS = 30
_DEFAULT_PORT = 8080
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,28}[a-z0-9])?")
_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Service:
    """The service to be created."""

    name: str
    """Name of its app: a DNS label of at most 30 characters (its migration Job's name is longer)."""
    port: int = _DEFAULT_PORT
    """TCP port that its container listens on."""
    database: bool = True
    """Whether it has a PostgreSQL database, with migrations."""

    @property
    def module(self) -> str:
        """Its Python package, and the name of its folder below ``services/`` and of its image."""
        return self.name.replace("-", "_")


def make_scaffold(tree: FolderTree, service: Service, *, today: date) -> Scaffold:
    """Everything that the service adds and changes; nothing is written here.

    Raises:
        UserError: the name can't be used, or is; or a file that is derived from or added to is not as expected.
    """
    _require_free(tree, service)
    environments = list(load_environments(tree))
    code = f"services/{service.module}"
    base = f"apps/{GROUP}/{service.name}"
    overlays = [f"environments/{environment}/{GROUP}/{service.name}" for environment in environments]
    created = {f"{code}/{path}": text for path, text in _code(service)}
    created |= {f"{base}/{path}": text for path, text in _base(tree, service)}
    for environment, folder in zip(environments, overlays, strict=True):
        created[f"{folder}/kustomization.yaml"] = _overlay(tree, service, environment)
    edited = {DEPENDENCIES: _dependencies(tree, service)}
    for path, text in _policies(tree, edited[DEPENDENCIES]).items():
        if path.startswith(f"{base}/"):
            created[path] = text
        elif not tree.is_file(path) or tree.text(path) != text:
            edited[path] = text
    if service.database:
        edited[_DATABASES] = _with_database(tree, service)
    edited[_WAIVERS] = _with_waivers(tree, service, environments, today)
    return Scaffold(folders=(code, base, *overlays), created=created, edited=edited)


def _require_free(tree: FolderTree, service: Service) -> None:
    name, module = service.name, service.module
    if not _NAME.fullmatch(name):
        raise UserError(
            f"'{name}' is not a valid service name", hint="up to 30 of a-z, 0-9 and '-', a letter first and no '-' last"
        )
    if needs_quotes(name):
        raise UserError(f"'{name}' is a word of YAML", hint="choose another name")
    taken = [f"services/{module}", *(f"{path.relative_to(tree.root)}" for path in _places(tree, name))]
    for path in taken:
        if (tree.root / path).exists():
            raise UserError("is there already", file=path, hint="choose another name")
    if keyword.iskeyword(module) or importlib.util.find_spec(module) is not None:
        raise UserError(f"'{module}' is a word or a package of Python already", hint="choose another name")


def _places(tree: FolderTree, name: str) -> Iterable[Path]:
    yield from tree.root.glob(f"apps/*/{name}")
    yield from tree.root.glob(f"environments/*/*/{name}")


def _code(service: Service) -> Iterable[tuple[str, str]]:
    import jinja2

    engine = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - the output is code and no HTML
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    words = {
        "name": service.name,
        "module": service.module,
        "title": "".join(part.capitalize() for part in service.name.split("-")),
        "database": service.database,
    }
    for kind in ("common", "database" if service.database else "plain"):
        for file in sorted((_TEMPLATES / kind).rglob("*.j2")):
            path = file.relative_to(_TEMPLATES / kind).as_posix().removesuffix(".j2")
            text = engine.get_template(file.relative_to(_TEMPLATES).as_posix()).render(words)
            yield path.replace("src/package/", f"src/{service.module}/"), text


def _base(tree: FolderTree, service: Service) -> Iterable[tuple[str, str]]:
    """The model's base, renamed; without a database, less what only a database needs."""
    for path in tree.walk(f"apps/{GROUP}/{MODEL}"):
        name = Path(path).name
        if name == "networkpolicy.yaml" or (name == "job.yaml" and not service.database):
            continue
        text = tree.text(path)
        if not service.database:
            text = _without_database(text, name, path)
        if name == "config.env" and service.port != _DEFAULT_PORT:
            text += f"PORT={service.port}\n"
        if name == "deployment.yaml":
            text = text.replace(f"containerPort: {_DEFAULT_PORT}", f"containerPort: {service.port}")
        if name == "kustomization.yaml":
            text = re.sub(r"\A#.*\n", f"# The {MODEL} service.\n", text)
        yield name, _renamed(text, service)


def _renamed(text: str, service: Service) -> str:
    """The model's words made the service's: its package and image go by the module's name."""
    for pattern in (rf"\b{MODEL}(?=\.migrate\b)", rf"(?<=cartwright/){MODEL}\b"):
        text = re.sub(pattern, service.module, text)
    return rename(text, MODEL, service.name)


def _without_database(text: str, name: str, path: str) -> str:
    if name == "config.env":
        return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("DATABASE_"))
    if name == "kustomization.yaml":
        return drop(text, ["resources", load(text, path)["resources"].index("job.yaml")], file=path)
    if name == "deployment.yaml":
        place: list[str | int] = ["spec", "template", "spec", "containers", 0, "env"]
        variables = load(text, path)["spec"]["template"]["spec"]["containers"][0]["env"]
        kept = [one for one in variables if not one["name"].startswith("DATABASE_")]
        for index in reversed(range(len(variables))):
            if kept and variables[index] not in kept:
                text = drop(text, [*place, index], file=path)
        return text if kept else drop(text, place, file=path)
    if name == "prometheusrule.yaml":
        for at, group in reversed(list(enumerate(load(text, path)["spec"]["groups"]))):
            for index, rule in reversed(list(enumerate(group["rules"]))):
                if rule.get("alert", "").startswith("Database"):
                    text = drop(text, ["spec", "groups", at, "rules", index], file=path)
    return text


def _overlay(tree: FolderTree, service: Service, environment: str) -> str:
    """The model's overlay, renamed, with the tag of a service that is not built yet, and so without a digest."""
    path = f"environments/{environment}/{GROUP}/{MODEL}/kustomization.yaml"
    text = tree.text(path)
    for index, image in enumerate(load(text, path).get("images", [])):
        text = edit(text, [Edit(path=("images", index, "newTag"), value="0.1.0")], file=path)
        if "digest" in image:
            text = drop(text, ["images", index, "digest"], file=path)
    return _renamed(text, service)


def _dependencies(tree: FolderTree, service: Service) -> str:
    text = tree.text(DEPENDENCIES)
    apps = load(text, DEPENDENCIES)["apps"]
    last = next(key for key in reversed(apps) if key.startswith(f"{GROUP}/"))
    lines = ["", f"  {GROUP}/{service.name}:"]
    if service.database:
        lines += [f"    pods: [{service.name}, {service.name}-migration]", f"    metrics: {service.port}", "    calls:"]
        port = next(call["port"] for call in apps[f"{GROUP}/{MODEL}"]["calls"] if call["to"] == "data/postgresql")
        lines += [f"      - {{to: data/postgresql, port: {port}}}"]
    else:
        lines += [f"    metrics: {service.port}", "    calls: []"]
    return insert_after(text, ["apps", last], "\n".join(lines) + "\n", file=DEPENDENCIES)


def _policies(tree: FolderTree, dependencies: str) -> dict[str, str]:
    schema: dict[str, Any] = json.loads(tree.text(DEPENDENCIES_SCHEMA))
    return generate(parse_dependencies(dependencies, DEPENDENCIES, schema))


def _with_database(tree: FolderTree, service: Service) -> str:
    """The Job that creates roles and databases, with a source for the new Secret."""
    text = tree.text(_DATABASES)
    volumes = load(text, _DATABASES)["spec"]["template"]["spec"]["volumes"]
    at = next((index for index, one in enumerate(volumes) if one["name"] == "databases"), None)
    if at is None:
        raise UserError("has no volume 'databases'", file=_DATABASES)
    place: list[str | int] = ["spec", "template", "spec", "volumes", at, "projected", "sources", -1]
    return insert_after(text, place, _source(service), file=_DATABASES)


def _source(service: Service) -> str:
    indent = " " * 14
    return (
        f"{indent}- secret:\n"
        f"{indent}    name: {service.name}-database\n"
        f"{indent}    items:\n"
        f"{indent}      - {{key: password, path: {service.name}/password}}\n"
    )


def _with_waivers(tree: FolderTree, service: Service, environments: list[str], today: date) -> str:
    """No digest exists before the first build: that is waived for a while, and said so."""
    text = tree.text(_WAIVERS)
    objects = [("apps/v1", "Deployment", service.name)]
    if service.database:
        objects.append(("batch/v1", "Job", f"{service.name}-migration"))
    entries = "".join(
        f"  - rule: pinned-image\n"
        f"    object: {{apiVersion: {version}, kind: {kind}, namespace: {GROUP}, name: {name}}}\n"
        f"    environments: [{', '.join(environments)}]\n"
        f"    owner: platform-team\n"
        f"    reason: >-\n"
        f"      The image of {service.name} is not built yet. `cartwright images build {service.module}` prints its\n"
        f"      digest; with that in the overlays this waiver goes.\n"
        f'    expires: "{today + timedelta(days=_WAIVER_DAYS)}"\n'
        for version, kind, name in objects
    )
    before = load(text, _WAIVERS)["waivers"]
    if before:
        after = insert_after(text, ["waivers", -1], entries, file=_WAIVERS)
    else:
        after = re.sub(r"(?m)^waivers:.*$\n?", lambda _: "waivers:\n" + entries, text, count=1)
    if load(after, _WAIVERS)["waivers"][: len(before)] != before:
        raise UserError("is not in the form that an entry can be added to", file=_WAIVERS)
    return after
