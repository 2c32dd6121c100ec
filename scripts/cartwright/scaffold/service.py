"""What a new service consists of: a small base on the shared components, code, tests, and its overlay in dev.

Only environments that take releases from their build get an overlay. Everywhere else the first promotion makes it.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import keyword
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from cartwright.kernel.errors import UserError
from cartwright.network import generate, parse_dependencies
from cartwright.scaffold.files import Scaffold
from cartwright.tree.beginnings import beginning_of, render_overlay
from cartwright.tree.dependencies import FILE as DEPENDENCIES
from cartwright.tree.dependencies import SCHEMA as DEPENDENCIES_SCHEMA
from cartwright.tree.environments import load_environments
from cartwright.tree.repository import FolderTree
from cartwright.yaml.lines import insert_after
from cartwright.yaml.read import load
from cartwright.yaml.scalars import needs_quotes

__all__ = ["Service", "make_scaffold"]

MODEL = "catalog"
"""The service that tells where images come from."""
GROUP = "shop"
_DATABASES = "apps/data/postgresql/job.yaml"
_WAIVERS = "policies/waivers.yaml"
_WAIVER_DAYS = 30
_DEFAULT_PORT = 8080
_FIRST_TAG = "0.1.0"
_TOP = "../../../../"
"""The top of the repository, seen from an overlay."""
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,28}[a-z0-9])?")
_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Service:
    """The service to be created. It gets what is asked for and nothing else."""

    name: str
    """Name of its app: a DNS label of at most 30 characters (its migration Job's name is longer)."""
    port: int = _DEFAULT_PORT
    """TCP port that its container listens on."""
    database: bool = False
    """Whether it has a PostgreSQL database, with migrations."""
    events: bool = False
    """Whether it takes part in events, through RabbitMQ."""
    redis: bool = False
    """Whether it uses Redis."""
    calls: tuple[str, ...] = ()
    """The services that it calls over HTTP, each ``name`` or ``group/name``."""

    @property
    def module(self) -> str:
        """Its Python package, and the name of its folder below ``services/`` and of its image."""
        return self.name.replace("-", "_")


@dataclass(frozen=True)
class _Call:
    """A service that the new one calls."""

    app: str
    """``group/name``."""
    port: int
    """Of its pods."""

    @property
    def name(self) -> str:
        return self.app.partition("/")[2]

    @property
    def setting(self) -> str:
        """The setting with its address."""
        return f"{self.name.replace('-', '_')}_url"

    @property
    def title(self) -> str:
        """The class of its client."""
        return "".join(part.capitalize() for part in self.name.split("-"))

    @property
    def url(self) -> str:
        """Its Service's address."""
        group, _, name = self.app.partition("/")
        return f"http://{name}.{group}.svc"


def make_scaffold(tree: FolderTree, service: Service, *, today: date) -> Scaffold:
    """Everything that the service adds and changes; nothing is written here.

    Raises:
        UserError: the name can't be used, or is; it calls a service that does not exist; or a file that is derived
            from or added to is not as expected.
    """
    _require_free(tree, service)
    calls = _calls(tree, service)
    environments = [one for one in load_environments(tree).values() if not one.upstreams]
    code = f"services/{service.module}"
    base = f"apps/{GROUP}/{service.name}"
    words = _words(service, calls, _images(tree, environments[0].name))
    created = {f"{code}/{path}": text for path, text in _code(service, words)}
    for name in ("config.env", "deployment.yaml", "kustomization.yaml"):
        created[f"{base}/{name}"] = _fill(f"base/{name}.j2", words)
    overlays = {one.name: f"environments/{one.name}/{GROUP}/{service.name}" for one in environments}
    for one in environments:
        created[f"{overlays[one.name]}/kustomization.yaml"] = render_overlay(
            beginning_of(one, f"{GROUP}/{service.name}"),
            namespace=GROUP,
            resources=[f"{_TOP}{base}"],
            top=_TOP,
            images=[{"name": f"{words['images']}/{service.module}", "newTag": _FIRST_TAG}],
        )
    edited = {DEPENDENCIES: _dependencies(tree, service, calls)}
    for path, text in _policies(tree, edited[DEPENDENCIES]).items():
        if path.startswith(f"{base}/"):
            created[path] = text
        elif not tree.is_file(path) or tree.text(path) != text:
            edited[path] = text
    if service.database:
        edited[_DATABASES] = _with_database(tree, service)
    edited[_WAIVERS] = _with_waivers(tree, service, [*overlays], today)
    return Scaffold(folders=(code, base, *overlays.values()), created=created, edited=edited)


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


def _calls(tree: FolderTree, service: Service) -> list[_Call]:
    """What it calls, each once, in the order given."""
    apps = load(tree.text(DEPENDENCIES), DEPENDENCIES)["apps"]
    services = {key.partition("/")[2]: key for key in apps if key.startswith(f"{GROUP}/")}
    found = []
    for wanted in dict.fromkeys(name.removeprefix(f"{GROUP}/") for name in service.calls):
        if wanted not in services:
            raise UserError(f"no service '{wanted}' to call", hint=f"services are: {', '.join(sorted(services))}")
        found.append(_Call(app=services[wanted], port=apps[services[wanted]]["metrics"]))
    return found


def _images(tree: FolderTree, environment: str) -> str:
    """Where images of services are: what the name of the model's image begins with."""
    path = f"environments/{environment}/{GROUP}/{MODEL}/kustomization.yaml"
    content: dict[str, Any] = load(tree.text(path), path)
    if not content.get("images"):
        raise UserError("names no image", file=path)
    return str(content["images"][0]["name"]).rpartition("/")[0]


def _words(service: Service, calls: list[_Call], images: str) -> dict[str, Any]:
    """What the templates are filled with."""
    asked = [
        (service.database, "DATABASE_PASSWORD", f"{service.name}-database"),
        (service.events, "RABBITMQ_PASSWORD", "rabbitmq-auth"),
        (service.redis, "REDIS_PASSWORD", "redis-auth"),
    ]
    others: dict[str, Any] = {call.setting: f"http://{call.name}.test" for call in calls}
    if service.redis:
        others |= {"redis_host": "127.0.0.1", "redis_port": 1, "redis_password": "nobody-asks-for-it"}
    packages = {
        "alembic": service.database,
        "cartwright-kit": True,
        "fastapi": True,
        "pydantic": bool(calls),
        "redis": service.redis,
        "sqlalchemy[asyncio]": service.database,
        "structlog": service.events,
    }
    resources = ["kit.Database(settings)"] if service.database else []
    resources += [f"{call.title}(str(settings.{call.setting}))" for call in calls]
    resources += ["Cache(settings)"] if service.redis else []
    if service.events:
        resources.append(f'kit.Consumer(settings, exchange="orders", queue="{service.name}.orders", handle=on_event)')
    return {
        "name": service.name,
        "group": GROUP,
        "module": service.module,
        "port": service.port,
        "images": images,
        "database": service.database,
        "events": service.events,
        "redis": service.redis,
        "calls": calls,
        "secrets": [(variable, secret) for is_asked, variable, secret in asked if is_asked],
        "dependencies": [package for package, is_asked in packages.items() if is_asked],
        "resources": resources,
        "others": others,
        "extra": (", **OTHERS" if others else "") + (", **unreachable_rabbitmq()" if service.events else ""),
    }


@functools.cache
def _engine() -> Any:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - the output is code and no HTML
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _fill(template: str, words: Mapping[str, Any]) -> str:
    return str(_engine().get_template(template).render(words))


def _code(service: Service, words: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for kind in ("code", "database") if service.database else ("code",):
        for file in sorted((_TEMPLATES / kind).rglob("*.j2")):
            path = file.relative_to(_TEMPLATES / kind).as_posix().removesuffix(".j2")
            text = _fill(file.relative_to(_TEMPLATES).as_posix(), words)
            yield path.replace("src/package/", f"src/{service.module}/"), text


def _dependencies(tree: FolderTree, service: Service, calls: list[_Call]) -> str:
    text = tree.text(DEPENDENCIES)
    apps = load(text, DEPENDENCIES)["apps"]
    last = next(key for key in reversed(apps) if key.startswith(f"{GROUP}/"))
    edges = [(call.app, call.port) for call in calls]
    for is_asked, app in (
        (service.database, "data/postgresql"),
        (service.events, "data/rabbitmq"),
        (service.redis, "data/redis"),
    ):
        if is_asked:
            edges.append((app, _port(apps, app)))
    lines = ["", f"  {GROUP}/{service.name}:"]
    if service.database:
        lines.append(f"    pods: [{service.name}, {service.name}-migration]")
    lines.append(f"    metrics: {service.port}")
    lines += (
        ["    calls:", *(f"      - {{to: {app}, port: {port}}}" for app, port in edges)] if edges else ["    calls: []"]
    )
    return insert_after(text, ["apps", last], "\n".join(lines) + "\n", file=DEPENDENCIES)


def _port(apps: Mapping[str, Any], app: str) -> int:
    """The port under which others call an app already."""
    ports = [call["port"] for one in apps.values() for call in one["calls"] if call["to"] == app]
    if not ports:
        raise UserError(f"nobody calls {app} yet, so its port is not known", file=DEPENDENCIES)
    return int(ports[0])


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
        f"      digest; with that in the overlay this waiver goes.\n"
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
