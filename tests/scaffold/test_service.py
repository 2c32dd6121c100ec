"""``cartwright new service``: what it makes passes every check, works, fits, and holds only what was asked for."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from benchmarks.measure import cache_with_tools
from cartwright.kernel.errors import UserError
from cartwright.scaffold import Service, make_scaffold, write_scaffold
from cartwright.tree.applications import find_applications
from cartwright.tree.environments import load_environments
from cartwright.tree.names import read_names
from cartwright.tree.render import render
from cartwright.tree.repository import open_tree
from cartwright.yaml.lines import insert_after
from cartwright.yaml.read import load

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[2]
CONTENT = ("apps", "argocd", "clusters", "environments", "policies", "services")
TODAY = date(2030, 1, 1)
EVERYTHING = Service(
    name="gift-cards", port=9000, database=True, events=True, redis=True, calls=("catalog", "shop/orders")
)
OPTIONS = ["--port", "9000", "--database", "--events", "--redis", "--calls", "catalog", "--calls", "shop/orders"]


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This repository's content, to be changed at will; the current folder."""
    for name, value in cache_with_tools(tmp_path / "cache").items():
        monkeypatch.setenv(name, value)
    root = tmp_path / "repository"
    for name in CONTENT:
        shutil.copytree(REPOSITORY / name, root / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    for name in ("names.yaml", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, root)
    monkeypatch.chdir(root)
    return root


def cartwright(*words: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("cartwright")), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def content(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def objects(root: Path, app: str, environment: str) -> dict[tuple[str, str], Any]:
    tree = open_tree(root)
    chosen = [
        one
        for one in find_applications(tree, load_environments(tree))
        if (one.app, one.environment) == (app, environment)
    ]
    rendered, failures = render(tree, chosen)
    assert failures == ()
    return {(one.identity.kind, one.identity.name): one.content for one in rendered[0].resources}


def run_tests(root: Path, service: Service, tmp_path: Path) -> None:
    """Run the new service's own tests as they run once it is installed: with the metadata of its package."""
    metadata = tmp_path / "installed" / f"cartwright_{service.module}-0.1.0.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text(f"Metadata-Version: 2.1\nName: cartwright-{service.name}\nVersion: 0.1.0\n")
    code = root / "services" / service.module
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(code)],
        env={**os.environ, "PYTHONPATH": f"{code / 'src'}:{metadata.parents[1]}"},
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


# --- what it makes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "module"),
    [(["pings"], "pings"), (["gift-cards", "--database"], "gift_cards"), (["gift-cards", *OPTIONS], "gift_cards")],
    ids=["with nothing", "with a database", "with everything"],
)
def test_every_check_passes_right_after(copy: Path, words: list[str], module: str) -> None:
    before = content(copy / "argocd")
    made = cartwright("new", "service", *words)
    assert (made.returncode, made.stderr) == (0, "")
    assert made.stdout.splitlines()[0] == f"created services/{module}/"
    checked = cartwright("check", "--format", "json")
    assert (checked.returncode, json.loads(checked.stdout)["findings"]) == (0, [])
    assert cartwright("networkpolicies", "--check").returncode == 0
    assert content(copy / "argocd") == before
    assert not list(copy.glob(".new-service-*"))
    ruff = Path(sys.executable).with_name("ruff")
    for check in (["check"], ["format", "--check"]):
        done = subprocess.run([ruff, *check, "services"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


@pytest.mark.services
@pytest.mark.parametrize(
    "service", [Service(name="gift-cards", database=True), EVERYTHING], ids=["alone", "everything"]
)
def test_the_tests_of_a_service_with_a_database_pass(copy: Path, tmp_path: Path, service: Service) -> None:
    write_scaffold(copy, make_scaffold(open_tree(copy), service, today=TODAY))
    run_tests(copy, service, tmp_path)


def test_the_tests_of_a_service_with_nothing_pass(copy: Path, tmp_path: Path) -> None:
    service = Service(name="pings")
    write_scaffold(copy, make_scaffold(open_tree(copy), service, today=TODAY))
    run_tests(copy, service, tmp_path)


def test_at_most_150_lines_are_made_and_a_base_has_at_most_60(copy: Path) -> None:
    def lines(service: Service, folder: str = "") -> int:
        scaffold = make_scaffold(open_tree(copy), service, today=TODAY)
        return sum(
            len(text.splitlines())
            for path, text in scaffold.created.items()
            # Generated from the map of dependencies: as long as the edges of the app ask for.
            if path.startswith(folder) and not path.endswith("networkpolicy.yaml")
        )

    assert lines(Service(name="pings")) <= 150
    # What is asked for besides comes on top: a table, its migration and its tests; clients, a cache, a consumer.
    assert lines(Service(name="pings", database=True)) <= 225
    assert lines(EVERYTHING) <= 300
    assert lines(EVERYTHING, "apps/") <= 60


def test_its_objects_are_those_of_a_service_that_is_there(copy: Path) -> None:
    service = Service(name="parcels", database=True, events=True)
    write_scaffold(copy, make_scaffold(open_tree(copy), service, today=TODAY))
    model, new = (objects(copy, f"shop/{name}", "dev") for name in ("catalog", "parcels"))
    # Who calls it differs, the name of a generated ConfigMap hashes its content, and it has no alert of its own.
    for key in [key for key in (*model, *new) if key[0] in {"NetworkPolicy", "ConfigMap", "PrometheusRule"}]:
        model.pop(key, None)
        new.pop(key, None)
    renamed = re.sub(r"\bparcels\b", "catalog", json.dumps([[*key, value] for key, value in new.items()]))
    expected = json.loads(json.dumps([[*key, value] for key, value in model.items()]))
    assert [_comparable(one) for one in json.loads(renamed)] == [_comparable(one) for one in expected]


def _comparable(value: Any) -> Any:
    """Without what differs by right: pins, hash suffixes of ConfigMaps, and the sizes that an overlay sets."""
    if isinstance(value, dict):
        return {
            key: _comparable(item) for key, item in value.items() if key not in {"image", "configMapRef", "resources"}
        }
    return [_comparable(item) for item in value] if isinstance(value, list) else value


_COMMON = ["ServiceDown", "ServiceErrorRatioHigh", "ServiceSlow"]


@pytest.mark.parametrize(
    ("service", "secrets", "alerts", "edges"),
    [
        pytest.param(Service(name="pings"), set(), _COMMON, [], id="nothing"),
        pytest.param(
            Service(name="pings", database=True),
            {"pings-database"},
            [*_COMMON, "DatabasePoolExhausted"],
            ["data/postgresql"],
            id="a database",
        ),
        pytest.param(Service(name="pings", events=True), {"rabbitmq-auth"}, _COMMON, ["data/rabbitmq"], id="events"),
        pytest.param(Service(name="pings", redis=True), {"redis-auth"}, _COMMON, ["data/redis"], id="Redis"),
        pytest.param(
            Service(name="pings", calls=("orders", "shop/orders")),
            set(),
            [*_COMMON, "UpstreamFailing"],
            ["shop/orders"],
            id="a call",
        ),
    ],
)
def test_it_gets_what_was_asked_for_and_nothing_else(
    copy: Path, service: Service, secrets: set[str], alerts: list[str], edges: list[str]
) -> None:
    scaffold = make_scaffold(open_tree(copy), service, today=TODAY)
    write_scaffold(copy, scaffold)
    made = objects(copy, "shop/pings", "dev")
    assert set(re.findall(r"'secretKeyRef': {'key': 'password', 'name': '([^']+)'}", str(made))) == secrets
    (rule,) = (content for (kind, _), content in made.items() if kind == "PrometheusRule")
    assert [one["alert"] for group in rule["spec"]["groups"] for one in group["rules"]] == alerts
    assert ("Job", "pings-migration") in made or not service.database
    declared = load(scaffold.edited["apps/dependencies.yaml"], "map")["apps"]["shop/pings"]
    assert [call["to"] for call in declared["calls"]] == edges
    assert ("apps/data/postgresql/job.yaml" in scaffold.edited) == service.database
    assert not any("stock" in text.lower() for text in scaffold.created.values())


def test_the_port_is_the_same_in_container_settings_and_network_rules(copy: Path) -> None:
    scaffold = make_scaffold(open_tree(copy), Service(name="pings", port=9000), today=TODAY)
    write_scaffold(copy, scaffold)
    made = objects(copy, "shop/pings", "dev")
    (container,) = made["Deployment", "pings"]["spec"]["template"]["spec"]["containers"]
    assert container["ports"] == [{"name": "http", "containerPort": 9000, "protocol": "TCP"}]
    assert "PORT=9000\n" in scaffold.created["apps/shop/pings/config.env"]
    policy = load(scaffold.created["apps/shop/pings/networkpolicy.yaml"], "policy")
    assert policy["spec"]["ingress"][0]["ports"] == [{"protocol": "TCP", "port": 9000}]


def test_only_dev_gets_an_overlay(copy: Path) -> None:
    scaffold = make_scaffold(open_tree(copy), Service(name="pings"), today=TODAY)
    assert scaffold.folders == ("services/pings", "apps/shop/pings", "environments/dev/shop/pings")
    assert scaffold.created["environments/dev/shop/pings/kustomization.yaml"] == (
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n\nnamespace: shop\n\n"
        "resources:\n  - ../../../../apps/shop/pings\n\n"
        f"images:\n  - name: {read_names(open_tree(copy)).registry}/pings\n    newTag: 0.1.0\n"
    )


def test_dev_begins_with_what_its_environment_says(copy: Path) -> None:
    file = copy / "environments/dev/environment.yaml"
    file.write_text(f"{file.read_text()}overlays: [{{apps: shop/p*, components: [apps/components/autoscaling]}}]\n")
    scaffold = make_scaffold(open_tree(copy), Service(name="pings"), today=TODAY)
    overlay = load(scaffold.created["environments/dev/shop/pings/kustomization.yaml"], "overlay")
    assert overlay["components"] == ["../../../../apps/components/autoscaling"]


def test_a_new_service_comes_to_prod_by_its_promotions(copy: Path) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", *words], check=True, capture_output=True)

    def checked() -> Any:
        return json.loads(cartwright("check", "--format", "json").stdout)["findings"]

    waivers = (copy / "policies/waivers.yaml").read_text()
    (copy / "environments/record.yaml").unlink()  # it names commits of this repository's own history
    git("init", "--quiet", "--initial-branch=main")
    git("config", "user.name", "Somebody")
    git("config", "user.email", "somebody@example.com")
    git("add", "--all")
    git("commit", "--quiet", "--message", "Begin")
    made = cartwright("new", "service", "parcels", "--database")
    together = ["shop/parcels", "data/postgresql", "monitoring/prometheus"]
    assert (
        made.stdout.splitlines()[-1] == f"once it runs: `cartwright promote {' '.join(together)} --from ENV --to ENV`"
    )
    assert checked() == []
    overlay = copy / "environments/dev/shop/parcels/kustomization.yaml"
    overlay.write_text(f"{overlay.read_text()}    digest: sha256:{'ab' * 32}\n")
    (copy / "policies/waivers.yaml").write_text(waivers)
    git("add", "--all")
    git("commit", "--quiet", "--message", "Add parcels")
    assert checked() == []
    for source, target in (("dev", "staging"), ("staging", "prod")):
        # Its gates are asked, and here is neither a cluster nor an hour's time.
        words = ("--from", source, "--to", target, "--break-glass", "Somebody: a test")
        done = cartwright("promote", *together, *words)
        assert (done.returncode, done.stderr) == (0, "")
        assert checked() == [], target
        scaler = objects(copy, "shop/parcels", target)["HorizontalPodAutoscaler", "parcels"]["spec"]
        model = objects(copy, "shop/catalog", target)["HorizontalPodAutoscaler", "catalog"]["spec"]
        assert [scaler[key] for key in _BOUNDS] == [model[key] for key in _BOUNDS]
    verified = json.loads(cartwright("promote", "verify", "--format", "json").stdout)
    assert (verified["findings"], verified["undone"]) == ([], [])


_BOUNDS = ("minReplicas", "maxReplicas")


# --- whether it fits --------------------------------------------------------------------------------


def _edit(file: Path, pattern: str, new: str) -> int:
    """Replace the only text that matches; its line."""
    text = file.read_text()
    (found,) = re.finditer(pattern, text)
    file.write_text(text[: found.start()] + new + text[found.end() :])
    return text[: found.start()].count("\n") + 1


def test_a_service_whose_connections_no_longer_fit_is_told_which_number_to_raise(copy: Path) -> None:
    conf = "apps/data/postgresql/postgresql.conf"
    # What dev asks for today, to the last connection: two pods of each service with five, and a Job each.
    line = _edit(copy / conf, r"(?m)^max_connections = \d+$", "max_connections = 25")
    assert cartwright("new", "service", "pings").returncode == 0
    made = cartwright("new", "service", "parcels", "--database")
    assert (made.returncode, made.stderr) == (1, "")
    (told,) = (one for one in made.stdout.splitlines() if one.startswith("does not fit: "))
    assert told.startswith(f"does not fit: {conf}:{line}: ConfigMap/postgresql-")
    assert "parcels 10, parcels-migration 1; raise max_connections to 36, or " in told
    _edit(copy / conf, r"max_connections = 25", "max_connections = 36")
    assert json.loads(cartwright("check", "--format", "json").stdout)["findings"] == []


def test_a_service_that_no_longer_fits_its_namespace_is_told_which_number_to_raise(copy: Path) -> None:
    quota = "clusters/dev/quotas/shop.yaml"
    # Three services of two pods each while they roll, and two migration Jobs.
    line = _edit(copy / quota, r'(?m)(?<=^    pods: )"?\d+"?$', '"8"')
    assert json.loads(cartwright("check", "--format", "json").stdout)["findings"] == []
    made = cartwright("new", "service", "pings")
    assert made.returncode == 1
    (told,) = (one for one in made.stdout.splitlines() if one.startswith("does not fit: "))
    assert told.startswith(f"does not fit: {quota}:{line}: ")
    assert "allows 8 of pods, but what its namespace holds may need 10 at once; raise it" in told


# --- what it changes --------------------------------------------------------------------------------


def test_files_that_exist_change_by_added_lines_alone(copy: Path) -> None:
    scaffold = make_scaffold(open_tree(copy), Service(name="parcels", database=True), today=TODAY)
    assert set(scaffold.edited) == {
        "apps/data/postgresql/job.yaml",
        "apps/data/postgresql/networkpolicy.yaml",
        "apps/dependencies.yaml",
        "apps/monitoring/prometheus/networkpolicy.yaml",
        "policies/waivers.yaml",
    }
    for path, text in scaffold.edited.items():
        rest = iter(text.splitlines())
        before = (copy / path).read_text().replace("waivers: []", "waivers:")  # an empty list has no line to keep
        assert all(line in rest for line in before.splitlines()), path


def test_the_missing_digest_is_waived_by_name_for_thirty_days(copy: Path) -> None:
    scaffold = make_scaffold(open_tree(copy), Service(name="parcels", database=True), today=TODAY)
    old = load((copy / "policies/waivers.yaml").read_text(), "old")["waivers"]
    added = load(scaffold.edited["policies/waivers.yaml"], "new")["waivers"][len(old) :]
    assert [(one["rule"], one["object"]["kind"], one["object"]["name"], one["expires"]) for one in added] == [
        ("pinned-image", "Deployment", "parcels", "2030-01-31"),
        ("pinned-image", "Job", "parcels-migration", "2030-01-31"),
    ]
    assert [one["environments"] for one in added] == [["dev"], ["dev"]]


def test_the_first_waiver_finds_its_place_in_an_empty_list(copy: Path) -> None:
    (copy / "policies/waivers.yaml").write_text("# none\nwaivers: []\n")
    scaffold = make_scaffold(open_tree(copy), Service(name="pings"), today=TODAY)
    text = scaffold.edited["policies/waivers.yaml"]
    assert text.startswith("# none\nwaivers:\n  - rule: pinned-image\n")
    assert len(load(text, "waivers")["waivers"]) == 1


# --- refusals ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("Parcels", "'Parcels' is not a valid service name", id="capital letter"),
        pytest.param("2go", "'2go' is not a valid service name", id="digit first"),
        pytest.param("parcels-", "'parcels-' is not a valid service name", id="hyphen last"),
        pytest.param("p" * 31, "is not a valid service name", id="too long"),
        pytest.param("../parcels", "'../parcels' is not a valid service name", id="path"),
        pytest.param("on", "'on' is a word of YAML", id="YAML's word"),
        pytest.param("class", "'class' is a word or a package of Python already", id="keyword"),
        pytest.param("json", "'json' is a word or a package of Python already", id="standard library"),
        pytest.param("cartwright-kit", "'cartwright_kit' is a word or a package of Python already", id="package"),
        pytest.param("orders", "services/orders: is there already", id="service"),
        pytest.param("redis", "apps/data/redis: is there already", id="app of another group"),
    ],
)
def test_a_name_that_cannot_be_is_refused_and_nothing_is_written(copy: Path, name: str, message: str) -> None:
    before = content(copy)
    done = cartwright("new", "service", name)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert content(copy) == before


@pytest.mark.parametrize("wanted", ["nobody", "pings", "data/redis"], ids=["unknown", "itself", "no service"])
def test_who_can_not_be_called_is_refused_and_the_services_are_named(copy: Path, wanted: str) -> None:
    before = content(copy)
    done = cartwright("new", "service", "pings", "--calls", wanted)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"no service '{wanted}' to call (services are: catalog, gateway, orders)" in done.stderr
    assert content(copy) == before


def test_dev_without_the_model_is_named(copy: Path) -> None:
    (copy / "environments/dev/shop/catalog/kustomization.yaml").unlink()
    with pytest.raises(UserError) as caught:
        make_scaffold(open_tree(copy), Service(name="parcels", database=True), today=TODAY)
    assert caught.value.file == "environments/dev/shop/catalog/kustomization.yaml"


def test_a_failure_half_way_takes_everything_back(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = content(copy)
    scaffold = make_scaffold(open_tree(copy), Service(name="parcels", database=True), today=TODAY)
    real = Path.replace

    def full(self: Path, target: Path) -> Path:
        if target.name == "waivers.yaml":
            raise OSError(28, "No space left on device", str(target))
        return real(self, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(UserError, match="No space left on device"):
        write_scaffold(copy, scaffold)
    assert content(copy) == before


# --- editing lines ----------------------------------------------------------------------------------

TEXT = """\
a:
  - one  # first
  - two:
      deep: |
        text

  # about three
  - three
b: {c: d}
"""


def test_lines_are_put_behind_an_entry() -> None:
    assert insert_after(TEXT, ["a", -1], "  - four\n", file="t") == TEXT.replace("- three\n", "- three\n  - four\n")
    assert insert_after("a: 1", ["a"], "b: 2\n", file="t") == "a: 1\nb: 2\n"
    with pytest.raises(UserError, match=r"t:2: has no 'a\.7'"):
        insert_after(TEXT, ["a", 7], "x", file="t")
