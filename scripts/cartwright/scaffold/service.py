"""What a new service consists of: a small base on the shared components, code, tests, and its overlay in dev.

Only environments that take releases from their build get an overlay. Everywhere else the first promotion makes it.
"""

from __future__ import annotations

import importlib.util
import keyword
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from cartwright.kernel.errors import UserError
from cartwright.scaffold.files import Scaffold
from cartwright.scaffold.filling import TEMPLATES, fill
from cartwright.scaffold.lists import WAIVERS, first_overlays, network_policies, require_free, with_waivers
from cartwright.tree.dependencies import FILE as DEPENDENCIES
from cartwright.tree.environments import load_environments
from cartwright.tree.repository import FolderTree
from cartwright.yaml.lines import insert_after
from cartwright.yaml.read import load

__all__ = ["Service", "make_scaffold"]

MODEL = "catalog"
"""The service that tells where images come from."""
GROUP = "shop"
_DATABASES = "apps/data/postgresql/job.yaml"
_DEFAULT_PORT = 8080
_FIRST_TAG = "0.1.0"


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
    first = next(iter(load_environments(tree)))
    code = f"services/{service.module}"
    base = f"apps/{GROUP}/{service.name}"
    words = _words(service, calls, _images(tree, first))
    created = {f"{code}/{path}": text for path, text in _code(service, words)}
    for name in ("config.env", "deployment.yaml", "kustomization.yaml"):
        created[f"{base}/{name}"] = fill(f"base/{name}.j2", words)
    image = {"name": f"{words['images']}/{service.module}", "newTag": _FIRST_TAG}
    overlays = first_overlays(tree, f"{GROUP}/{service.name}", image)
    folders = {name: f"environments/{name}/{GROUP}/{service.name}" for name in overlays}
    created |= {f"{folders[name]}/kustomization.yaml": text for name, text in overlays.items()}
    edited = {DEPENDENCIES: _dependencies(tree, service, calls)}
    own, others = network_policies(tree, edited[DEPENDENCIES], base)
    created |= own
    edited |= others
    if service.database:
        edited[_DATABASES] = _with_database(tree, service)
    objects = [("apps/v1", "Deployment", service.name)]
    if service.database:
        objects.append(("batch/v1", "Job", f"{service.name}-migration"))
    why = (
        f"The image of {service.name} is not built yet. `cartwright images build {service.module}` prints its\n"
        "      digest; with that in the overlay this waiver goes."
    )
    edited[WAIVERS] = with_waivers(tree, objects, namespace=GROUP, environments=[*overlays], why=why, today=today)
    return Scaffold(folders=(code, base, *folders.values()), created=created, edited=edited)


def _require_free(tree: FolderTree, service: Service) -> None:
    module = service.module
    require_free(tree, service.name, [f"services/{module}"])
    if keyword.iskeyword(module) or importlib.util.find_spec(module) is not None:
        raise UserError(f"'{module}' is a word or a package of Python already", hint="choose another name")


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


def _code(service: Service, words: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for kind in ("code", "database") if service.database else ("code",):
        for file in sorted((TEMPLATES / kind).rglob("*.j2")):
            path = file.relative_to(TEMPLATES / kind).as_posix().removesuffix(".j2")
            text = fill(file.relative_to(TEMPLATES).as_posix(), words)
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
