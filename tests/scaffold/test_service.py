"""``cartwright new service``: what it makes passes every check, works, and has its model's shape."""

from __future__ import annotations

import json
import os
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
from cartwright.tree.render import render
from cartwright.tree.repository import open_tree
from cartwright.yaml.lines import drop, insert_after, rename
from cartwright.yaml.read import load

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[2]
CONTENT = ("apps", "argocd", "clusters", "environments", "policies", "services")
TODAY = date(2030, 1, 1)


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This repository's content, to be changed at will; the current folder."""
    for name, value in cache_with_tools(tmp_path / "cache").items():
        monkeypatch.setenv(name, value)
    root = tmp_path / "repository"
    for name in CONTENT:
        shutil.copytree(REPOSITORY / name, root / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    shutil.copy(REPOSITORY / "pyproject.toml", root)
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
    [(["gift-cards"], "gift_cards"), (["pings", "--no-database", "--port", "9000"], "pings")],
    ids=["with a database", "without a database"],
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
def test_the_tests_of_a_service_with_a_database_pass(copy: Path, tmp_path: Path) -> None:
    service = Service(name="gift-cards")
    write_scaffold(copy, make_scaffold(open_tree(copy), service, today=TODAY))
    run_tests(copy, service, tmp_path)


def test_the_tests_of_a_service_without_a_database_pass(copy: Path, tmp_path: Path) -> None:
    service = Service(name="pings", database=False)
    write_scaffold(copy, make_scaffold(open_tree(copy), service, today=TODAY))
    run_tests(copy, service, tmp_path)


def test_it_renders_to_the_objects_of_the_model_in_every_environment(copy: Path) -> None:
    write_scaffold(copy, make_scaffold(open_tree(copy), Service(name="parcels"), today=TODAY))
    for environment in ("dev", "staging", "prod"):
        model, new = (objects(copy, f"shop/{name}", environment) for name in ("catalog", "parcels"))
        for key in [key for key in (*model, *new) if key[0] in {"NetworkPolicy", "ConfigMap"}]:
            model.pop(key, None)  # who calls it differs, and the name of a generated ConfigMap hashes its content
            new.pop(key, None)
        as_model = json.loads(rename(json.dumps([[*key, value] for key, value in new.items()]), "parcels", "catalog"))
        expected = json.loads(json.dumps([[*key, value] for key, value in model.items()]))
        assert [_pinless(one) for one in as_model] == [_pinless(one) for one in expected]


def _pinless(value: Any) -> Any:
    """Without image pins and the hash suffixes of ConfigMaps, which differ by right."""
    if isinstance(value, dict):
        return {key: _pinless(item) for key, item in value.items() if key not in {"image", "configMapRef"}}
    return [_pinless(item) for item in value] if isinstance(value, list) else value


def test_the_code_has_the_files_of_the_model(copy: Path) -> None:
    scaffold = make_scaffold(open_tree(copy), Service(name="parcels"), today=TODAY)
    made = {path.removeprefix("services/parcels/") for path in scaffold.created if path.startswith("services/")}
    model = copy / "services/catalog"
    files = {str(path.relative_to(model)) for path in model.rglob("*") if path.is_file()}
    # A new service takes part in no events yet.
    wanted = {name for name in files if "events" not in name}
    assert len(wanted) == len(files) - 3
    assert made == {path.replace("catalog", "parcels").replace("0001_product", "0001_item") for path in wanted}


def test_a_service_without_a_database_names_none(copy: Path) -> None:
    scaffold = make_scaffold(open_tree(copy), Service(name="pings", database=False), today=TODAY)
    for path, text in scaffold.created.items():
        # `orders` and others stay named where the scraper's or the resolver's rules are; a database nowhere.
        assert "database" not in text.lower(), path
        assert "catalog" not in text, path
    assert "apps/data/postgresql/job.yaml" not in scaffold.edited


def test_the_port_is_the_same_in_container_settings_and_network_rules(copy: Path) -> None:
    scaffold = make_scaffold(open_tree(copy), Service(name="pings", port=9000, database=False), today=TODAY)
    assert "containerPort: 9000" in scaffold.created["apps/shop/pings/deployment.yaml"]
    assert "PORT=9000\n" in scaffold.created["apps/shop/pings/config.env"]
    policy = load(scaffold.created["apps/shop/pings/networkpolicy.yaml"], "policy")
    assert policy["spec"]["ingress"][0]["ports"] == [{"protocol": "TCP", "port": 9000}]


def test_files_that_exist_change_by_added_lines_alone(copy: Path) -> None:
    scaffold = make_scaffold(open_tree(copy), Service(name="parcels"), today=TODAY)
    assert set(scaffold.edited) == {
        "apps/data/postgresql/job.yaml",
        "apps/data/postgresql/networkpolicy.yaml",
        "apps/dependencies.yaml",
        "apps/monitoring/prometheus/networkpolicy.yaml",
        "policies/waivers.yaml",
    }
    for path, text in scaffold.edited.items():
        rest = iter(text.splitlines())
        assert all(line in rest for line in (copy / path).read_text().splitlines()), path


def test_the_missing_digest_is_waived_by_name_for_thirty_days(copy: Path) -> None:
    scaffold = make_scaffold(open_tree(copy), Service(name="parcels"), today=TODAY)
    old = load((copy / "policies/waivers.yaml").read_text(), "old")["waivers"]
    added = load(scaffold.edited["policies/waivers.yaml"], "new")["waivers"][len(old) :]
    assert [(one["rule"], one["object"]["kind"], one["object"]["name"], one["expires"]) for one in added] == [
        ("pinned-image", "Deployment", "parcels", "2030-01-31"),
        ("pinned-image", "Job", "parcels-migration", "2030-01-31"),
    ]
    for environment in ("dev", "staging", "prod"):
        overlay = load(scaffold.created[f"environments/{environment}/shop/parcels/kustomization.yaml"], "overlay")
        assert overlay["images"] == [{"name": "ghcr.io/example-org/cartwright/parcels", "newTag": "0.1.0"}]


def test_the_first_waiver_finds_its_place_in_an_empty_list(copy: Path) -> None:
    (copy / "policies/waivers.yaml").write_text("# none\nwaivers: []\n")
    scaffold = make_scaffold(open_tree(copy), Service(name="pings", database=False), today=TODAY)
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


def test_an_environment_without_the_model_is_named(copy: Path) -> None:
    (copy / "environments/staging/shop/catalog/kustomization.yaml").unlink()
    with pytest.raises(UserError) as caught:
        make_scaffold(open_tree(copy), Service(name="parcels"), today=TODAY)
    assert caught.value.file == "environments/staging/shop/catalog/kustomization.yaml"


def test_a_failure_half_way_takes_everything_back(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = content(copy)
    scaffold = make_scaffold(open_tree(copy), Service(name="parcels"), today=TODAY)
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


def test_an_entry_is_dropped_with_its_lines_and_no_others() -> None:
    assert drop(TEXT, ["a", 1], file="t") == TEXT.replace("  - two:\n      deep: |\n        text\n", "")
    assert drop(TEXT, ["b"], file="t") == TEXT.replace("b: {c: d}\n", "")


def test_lines_are_put_behind_an_entry() -> None:
    assert insert_after(TEXT, ["a", -1], "  - four\n", file="t") == TEXT.replace("- three\n", "- three\n  - four\n")
    assert insert_after("a: 1", ["a"], "b: 2\n", file="t") == "a: 1\nb: 2\n"
    with pytest.raises(UserError, match=r"t:2: has no 'a\.7'"):
        insert_after(TEXT, ["a", 7], "x", file="t")


def test_only_whole_words_are_renamed() -> None:
    text = "catalog catalog-migration catalogs pre_catalog data/catalog catalog.shop"
    assert rename(text, "catalog", "x") == "x x-migration catalogs pre_catalog data/x x.shop"
