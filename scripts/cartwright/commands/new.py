"""``cartwright new``: create what a new service, app or environment needs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cartwright.kernel.output import write
from cartwright.tree.repository import find_root, open_tree

if TYPE_CHECKING:
    from cartwright.scaffold import Scaffold

app = typer.Typer(no_args_is_help=True, help="Create a new service, app or environment.")


@app.callback()
def root_command() -> None:
    """Create a new service, app or environment."""


@app.command()
def service(  # noqa: PLR0917 - typer maps parameters by name
    name: Annotated[str, typer.Argument(metavar="NAME", help="A DNS label, such as `invoices` or `gift-cards`.")],
    port: Annotated[int, typer.Option(min=1024, max=65535, help="Port of its container.")] = 8080,
    database: Annotated[bool, typer.Option("--database", help="Add a PostgreSQL database and migrations.")] = False,
    events: Annotated[bool, typer.Option("--events", help="Publish and consume events through RabbitMQ.")] = False,
    redis: Annotated[bool, typer.Option("--redis", help="Add Redis.")] = False,
    calls: Annotated[
        list[str] | None, typer.Option(metavar="APP", help="A service that it calls over HTTP; may be repeated.")
    ] = None,
) -> None:
    """Create a service that runs in dev: code on the kit, base, overlay, network rules, tests.

    Its base holds only what is its own; the rest comes from apps/components/http-service. It writes all files or none.
    Nothing under argocd/ changes, because the ApplicationSets find the new overlay. Afterwards it checks whether dev's
    quota and PostgreSQL's max_connections still fit the most pods that may run at once. If they don't, a line names the
    file, the line and the number to raise, and the exit code is 1.

    There is no image yet, so the overlay has a tag without a digest, and policies/waivers.yaml gets a waiver for 30
    days. `cartwright images build` prints the digest; write it into the overlay and remove the waiver.

    The service comes to staging by its first promotion, which makes the overlay there from `overlays` in staging's
    environment.yaml. The last line names the apps whose network rules changed: promote them in the same commit.
    A database needs the Secret NAME-database, key `password`, in the namespaces shop and data: the embedded cluster
    creates it, elsewhere your secret store must.

    Examples: `cartwright new service invoices --database --calls orders`, `cartwright new service pings --port 9000`.
    """
    from cartwright.scaffold import Service, make_scaffold

    root = find_root()
    wanted = Service(name=name, port=port, database=database, events=events, redis=redis, calls=tuple(calls or ()))
    scaffold = make_scaffold(open_tree(root), wanted, today=datetime.now(tz=UTC).date())
    _write(root, scaffold)
    write(f"next: `make setup check`, then `pytest services/{wanted.module}`; see `cartwright new service --help`")
    write(f"once it runs: `cartwright promote {' '.join(scaffold.apps)} --from ENV --to ENV`")
    _say_misfits(root)


@app.command("app")
def app_(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A DNS label, such as `mailer`.")],
    image: Annotated[str, typer.Option(metavar="NAME:TAG@DIGEST", help="Its image, from any registry.")],
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of its container.")] = 8080,
    probe: Annotated[
        str | None, typer.Option(metavar="PATH", help="HTTP path of its probes. Without, a connection is enough.")
    ] = None,
    group: Annotated[str, typer.Option(help="Folder below apps/, and namespace.")] = "shop",
) -> None:
    """Create an app whose image is built elsewhere, in any language: base, overlay in dev, network rules.

    It writes all files or none. The base has a Deployment that passes the policies (user 10001, read-only root file
    system, probes, limits), a Service and a ServiceAccount; change what your image needs otherwise. The app calls
    nobody and nobody calls it until apps/dependencies.yaml says so. If dev's rules don't list the image's registry, it
    is added in dev's environment.yaml; the last lines name the environments that have to add it before the first
    promotion.

    Without a digest policies/waivers.yaml gets a waiver for 30 days. Staging gets the app by its first promotion.

    Example: `cartwright new app mailer --image ghcr.io/example/mailer:1.4.0@sha256:… --port 3000 --probe /healthz`.

    Exit codes: 0 done, 1 it does not fit dev's quota, 2 bad input.
    """
    from cartwright.registry.reference import parse_reference
    from cartwright.scaffold import App, make_app, unlisted

    root = find_root()
    wanted = App(name=name, group=group, image=parse_reference(image), port=port, path=probe)
    scaffold = make_app(open_tree(root), wanted, today=datetime.now(tz=UTC).date())
    _write(root, scaffold)
    write("next: who it calls in apps/dependencies.yaml, `cartwright networkpolicies`, `make check`")
    write(f"once it runs: `cartwright promote {' '.join(scaffold.apps)} --from ENV --to ENV`")
    for one in unlisted(open_tree(root), wanted.image):
        write(f"before that: {one.file}: add {wanted.image.name} to policies.image-registry.registries")
    _say_misfits(root)


def _write(root: Path, scaffold: Scaffold) -> None:
    """Write a scaffold, and what follows from it for Gatekeeper; say what was done."""
    from cartwright.kernel.generated import stale, write_all
    from cartwright.policy.constraints import generate
    from cartwright.scaffold import write_scaffold

    write_scaffold(root, scaffold)
    for path in scaffold.folders:
        write(f"created {path}{'/' if (root / path).is_dir() else ''}")
    texts = generate(open_tree(root))
    generated = stale(root, texts)
    write_all(root, texts, generated)
    for path in sorted({*scaffold.edited, *generated} - {*scaffold.created}):
        write(f"changed {path}")


def _say_misfits(root: Path) -> None:
    """Print what the quotas and the database have no room for, and end with 1 if there is anything."""
    from cartwright.scaffold import find_misfits

    misfits = find_misfits(open_tree(root))
    for one in misfits:
        write(f"does not fit: {one.file}:{one.line}: {one.message}")
    if misfits:
        raise typer.Exit(1)


@app.command()
def environment(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A DNS label, such as `prod-us`.")],
    like: Annotated[
        str, typer.Option(metavar="ENV", help="The environment whose sizes, gates, quotas and rights it gets.")
    ],
    after: Annotated[
        list[str] | None,
        typer.Option(metavar="ENV", help="Where its releases come from; may be repeated. Without, it follows main."),
    ] = None,
    cluster: Annotated[str | None, typer.Option(help="Name of its cluster. [default: NAME]")] = None,
) -> None:
    """Create an environment: another region, or another step of the order.

    It writes environments/NAME with its gates and overlays, clusters/CLUSTER with quotas and registration, the
    ApplicationSet and the project, and adds NAME where environments are listed (argocd/kustomization.yaml, Argo CD's
    RBAC, CODEOWNERS). It writes all files or none. Each app begins with the release that the first upstream runs at the
    newest commit, byte for byte; an app that an upstream does not run is left out. Later releases are promoted:
    `cartwright promote APP --from ENV --to NAME`.

    Two regions with the same upstream are side by side: a release goes to each by itself. One after the other, the
    second gets what the first ran.

    Examples: `cartwright new environment prod-us --like prod --after prod`,
    `cartwright new environment prod-eu --like prod --after staging --cluster eks-eu`.

    Exit codes: 0 done, 2 a name is malformed or taken, or a file can't be read.
    """
    from cartwright.scaffold import NewEnvironment, make_environment

    root = find_root()
    wanted = NewEnvironment(name=name, like=like, after=tuple(after or ()), cluster=cluster or name)
    scaffold = make_environment(root, wanted)
    _write(root, scaffold)
    write("next: `make check`, review, commit; docs/daily-work.md says what a cluster of your own needs")
