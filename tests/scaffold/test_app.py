"""``cartwright new app``: an image that is built elsewhere passes every check in dev, and says what the others need."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from benchmarks.measure import cache_with_tools
from cartwright.kernel.errors import UserError
from cartwright.registry.reference import parse_reference
from cartwright.scaffold import App, make_app
from cartwright.tree.repository import find_root, open_tree

pytestmark = pytest.mark.slow

IMAGE = f"ghcr.io/acme/mailer:1.4.0@sha256:{'5' * 64}"
TODAY = date(2030, 1, 1)
MAILER = App(name="mailer", group="shop", image=parse_reference(IMAGE), port=3000, path="/healthz")


@pytest.fixture(scope="module")
def fork(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("new-app") / "fork"
    subprocess.run(["git", "clone", "-q", "--no-local", find_root(), root], check=True, capture_output=True)
    return root


def test_an_app_from_another_registry_passes_every_check_in_dev(fork: Path, tmp_path: Path) -> None:
    environment = {**os.environ, **cache_with_tools(tmp_path / "cache")}

    def cartwright(*words: str) -> str:
        command = [str(Path(sys.executable).with_name("cartwright")), *words]
        done = subprocess.run(command, cwd=fork, capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    words = ("--image", IMAGE, "--port", "3000", "--probe", "/healthz")
    said = cartwright("new", "app", "mailer", *words).splitlines()
    assert said == [
        "created apps/shop/mailer/",
        "created environments/dev/shop/mailer/",
        "changed apps/dependencies.yaml",
        "changed apps/platform/gatekeeper/constraints/constraints.yaml",
        "changed environments/dev/environment.yaml",
        "changed environments/dev/platform/gatekeeper/parameters/kustomization.yaml",
        "next: who it calls in apps/dependencies.yaml, `cartwright networkpolicies`, `make check`",
        "once it runs: `cartwright promote shop/mailer --from ENV --to ENV`",
        "before that: environments/staging/environment.yaml: add ghcr.io/acme/mailer to "
        "policies.image-registry.registries",
        "before that: environments/prod/environment.yaml: add ghcr.io/acme/mailer to "
        "policies.image-registry.registries",
    ]
    assert cartwright("check").startswith("0 errors, 0 warnings in 31 overlays")
    assert "are current" in cartwright("policy", "build", "--check")
    assert "are current" in cartwright("networkpolicies", "--check")
    deployment = (fork / "apps/shop/mailer/deployment.yaml").read_text(encoding="utf-8")
    assert deployment.count("httpGet: {path: /healthz, port: http}") == 3
    overlay = (fork / "environments/dev/shop/mailer/kustomization.yaml").read_text(encoding="utf-8")
    assert f"digest: sha256:{'5' * 64}" in overlay


def test_what_is_known_already_stays_as_it_is() -> None:
    tree = open_tree(find_root())
    image = parse_reference(f"docker.io/library/nats:2.11@sha256:{'5' * 64}")
    made = make_app(tree, App(name="nats", group="data", image=image, port=4222, path=None), today=TODAY)
    assert set(made.edited) == {"apps/dependencies.yaml"}
    assert str(made.created["apps/data/nats/deployment.yaml"]).count("tcpSocket: {port: http}") == 3


def test_a_digest_that_is_not_known_is_waived_for_thirty_days() -> None:
    image = parse_reference("docker.io/library/nats:2.11")
    made = make_app(
        open_tree(find_root()), App(name="nats", group="data", image=image, port=4222, path=None), today=TODAY
    )
    assert (
        "object: {apiVersion: apps/v1, kind: Deployment, namespace: data, name: nats}"
        in (made.edited["policies/waivers.yaml"])
    )
    assert 'expires: "2030-01-31"' in made.edited["policies/waivers.yaml"]


@pytest.mark.parametrize(
    ("app", "message"),
    [
        (App("Mailer", "shop", MAILER.image, 80, None), "'Mailer' is not a valid service name"),
        (App("catalog", "data", MAILER.image, 80, None), "is there already"),
        (App("mailer", "mail", MAILER.image, 80, None), "no group 'mail'"),
        (App("mailer", "components", MAILER.image, 80, None), "no group 'components'"),
        (App("mailer", "shop", parse_reference("nats"), 80, None), "needs a tag that says a version"),
        (App("mailer", "shop", parse_reference("nats:latest"), 80, None), "needs a tag that says a version"),
        (App("mailer", "shop", MAILER.image, 80, "healthz"), "'healthz' is no path that a probe can ask for"),
    ],
)
def test_bad_input_is_refused(app: App, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_app(open_tree(find_root()), app, today=TODAY)
