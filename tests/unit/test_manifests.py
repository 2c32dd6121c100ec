"""`cartwright check --manifests`: YAML files as they are."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cartwright.errors import UserError
from cartwright.findings import CheckReport
from cartwright.manifests import check_manifests
from cartwright.repository import open_tree

POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: web
  namespace: shop
spec:
  automountServiceAccountToken: false
  securityContext:
    runAsNonRoot: true
    seccompProfile: {{type: RuntimeDefault}}
  containers:
    - name: app
      image: ghcr.io/example-org/cartwright/web:1.0.0@sha256:{digest}
      startupProbe: {{httpGet: {{path: /startupz, port: 8080}}}}
      readinessProbe: {{httpGet: {{path: /readyz, port: 8080}}}}
      livenessProbe: {{httpGet: {{path: /livez, port: 8080}}}}
      resources:
        requests: {{cpu: 100m, memory: 64Mi}}
        limits: {{cpu: 200m, memory: 64Mi}}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {{drop: [ALL]}}
""".format(digest="a" * 64)
PDB = """\
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web, namespace: shop}
spec:
  minAvailable: 1
  selector: {matchLabels: {app: web}}
"""


RULES = ("automount-token", "pdb-selects", "pinned-image", "read-only-root-filesystem", "pss-*")


@pytest.fixture
def repository(repository: Path) -> Path:
    """With a few rules: how files are judged is tested here, not what the rules find."""
    rules = repository / "policies" / "rules"
    for folder in rules.iterdir():
        if not any(folder.match(name) for name in RULES):
            shutil.rmtree(folder)
    return repository


def judge(repository: Path, *paths: Path, isolate: bool = False, pss: str | None = None) -> CheckReport:
    return check_manifests(open_tree(repository), paths, isolate=isolate, pss=pss)


def rules(report: CheckReport) -> list[tuple[str, int]]:
    return [(one.rule, one.line) for one in report.findings]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "pod.yaml"


def test_a_sound_pod_has_no_findings_and_is_counted(repository: Path, file: Path) -> None:
    file.write_text(POD, encoding="utf-8")
    report = judge(repository, file)
    assert report.findings == ()
    assert (report.coverage.files, report.coverage.objects) == (1, 1)
    assert report.coverage.rules == len(list((repository / "policies" / "rules").iterdir()))


def test_each_finding_has_the_line_of_its_field_in_a_later_document(repository: Path, file: Path) -> None:
    broken = POD.replace("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false")
    file.write_text(f"{POD.replace('name: web', 'name: other')}---\n{broken}", encoding="utf-8")
    line = POD.count("\n") + 2 + POD.splitlines().index("        readOnlyRootFilesystem: true")
    assert rules(judge(repository, file)) == [("read-only-root-filesystem", line)]


def test_an_unknown_field_is_a_schema_finding_and_the_rest_is_still_judged(repository: Path, file: Path) -> None:
    broken = POD.replace("  containers:", "  restartPolcy: Never\n  containers:")
    broken = broken.replace("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false")
    file.write_text(broken, encoding="utf-8")
    lines = broken.splitlines()
    assert rules(judge(repository, file)) == [
        ("schema", lines.index("  restartPolcy: Never") + 1),
        ("read-only-root-filesystem", lines.index("        readOnlyRootFilesystem: false") + 1),
    ]


def test_a_kind_without_schema_is_a_finding_and_not_a_pass(repository: Path, file: Path) -> None:
    file.write_text("apiVersion: example.com/v1\nkind: Gadget\nmetadata: {name: one}\n", encoding="utf-8")
    (finding,) = judge(repository, file).findings
    assert (finding.rule, finding.message) == ("schema", "could not find schema for Gadget")


def test_objects_of_other_files_are_seen_unless_isolated(repository: Path, tmp_path: Path) -> None:
    folder = tmp_path / "deploy"
    folder.mkdir()
    (folder / "pod.yaml").write_text(
        POD.replace("  name: web", "  name: web\n  labels: {app: web}", 1), encoding="utf-8"
    )
    (folder / "budget.yaml").write_text(PDB, encoding="utf-8")
    together = {one.rule for one in judge(repository, folder).findings}
    alone = {one.rule for one in judge(repository, folder, isolate=True).findings}
    assert "pdb-selects" in alone - together


def test_pss_judges_pods_as_in_a_namespace_of_that_level(repository: Path, file: Path) -> None:
    file.write_text(POD.replace("    runAsNonRoot: true\n", "    runAsUser: 10001\n"), encoding="utf-8")
    found = {
        level: {one.rule for one in judge(repository, file, pss=level).findings} for level in ("restricted", "baseline")
    }
    assert "pss-run-as-non-root" in found["restricted"]
    assert "pss-run-as-non-root" not in found["baseline"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "holds no Kubernetes object"),
        (b"- 1\n- 2\n", "document 1 is not a Kubernetes object but a list"),
        (b"kind: Pod\n", "document 1 is not a Kubernetes object: it has no apiVersion"),
        (b"a: \xff\n", "is not UTF-8"),
        (b"a: [1\nb: 2\n", "YAML: "),
    ],
    ids=["empty file", "a list", "no apiVersion", "not UTF-8", "syntax error"],
)
def test_what_is_no_manifest_is_bad_input(repository: Path, file: Path, text: bytes, message: str) -> None:
    file.write_bytes(text)
    with pytest.raises(UserError) as caught:
        judge(repository, file)
    assert message in str(caught.value)
    assert caught.value.file == str(file)


def test_the_command_takes_files_and_folders_and_refuses_what_is_missing(repository: Path, file: Path) -> None:
    file.write_text(POD.replace("  automountServiceAccountToken: false\n", ""), encoding="utf-8")
    program = Path(sys.executable).with_name("cartwright")
    command = [program, "check", "--format", "json", "--manifests"]
    done = subprocess.run([*command, file, file.parent / "gone.yaml"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("gone.yaml: no such file or folder\n")
    done = subprocess.run([*command, file, "--isolate"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    data = json.loads(done.stdout)
    assert data["evaluated"]["objects"] == 1
    assert [one["rule"] for one in data["findings"]] == ["automount-token"]
