"""`cartwright check --manifests`: YAML files as they are."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cartwright.check.manifests import check_manifests
from cartwright.kernel.errors import UserError
from cartwright.kernel.findings import CheckReport
from cartwright.tree.repository import open_tree

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
      image: ghcr.io/example/cartwright/web:1.0.0@sha256:{digest}
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


POLICIES = Path(__file__).parents[2] / "policies"
RULES = ("automount-token", "pdb-selects", "pinned-image", "read-only-root-filesystem", "pss-*")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With a few rules and nothing else: how files are judged is tested here, not what the rules find."""
    root = tmp_path / "repository"
    (root / "argocd").mkdir(parents=True)
    (root / "argocd" / "root.yaml").touch()
    for part in ("conftest", "lib"):
        shutil.copytree(POLICIES / part, root / "policies" / part)
    for rule in (folder for name in RULES for folder in POLICIES.glob(f"rules/{name}")):
        (root / "policies" / "rules" / rule.name).mkdir(parents=True)
        shutil.copy(rule / "rule.rego", root / "policies" / "rules" / rule.name)
    monkeypatch.chdir(root)
    return root


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
        (b"apiVersion: v1\nkind: List\nitems: null\n", "holds no Kubernetes object"),
        (b"apiVersion: v1\nkind: List\nitems: {a: b}\n", "items of the List is not a list but a mapping"),
    ],
    ids=["empty file", "a list", "no apiVersion", "not UTF-8", "syntax error", "empty List", "List without a list"],
)
def test_what_is_no_manifest_is_bad_input(repository: Path, file: Path, text: bytes, message: str) -> None:
    file.write_bytes(text)
    with pytest.raises(UserError) as caught:
        judge(repository, file)
    assert message in str(caught.value)
    assert caught.value.file == str(file)


def test_a_file_of_50_megabytes_is_refused_without_being_read_whole(repository: Path, file: Path) -> None:
    with file.open("wb") as stream:
        stream.write(b"apiVersion: v1\n")
        stream.truncate(50_000_000)
    # Of its own, for the memory of this process says nothing about it.
    # Not by getrusage, whose peak begins with that of the process that started this one.
    program = (
        "from pathlib import Path\n"
        "from cartwright.cli import main\n"
        "try: main()\n"
        "finally: print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
    )
    command = [sys.executable, "-c", program, "check", "--manifests", file]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == f"error: {file}: is larger than 16 MiB (split it, an object or a few in a file)\n"
    assert done.returncode == 2
    assert int(done.stdout) * 1024 < 150_000_000


def test_a_malformed_object_is_a_schema_finding_at_its_line(repository: Path, tmp_path: Path) -> None:
    folder = tmp_path / "malformed"
    folder.mkdir()
    pod = "apiVersion: v1\nkind: Pod\n"
    cases = {
        f"{pod}metadata: {{name: a}}\n": (1, "missing property 'spec'"),
        f"{pod}metadata: {{name: a}}\nspec: null\n": (4, "spec: got null, want object"),
        f"{pod}metadata: {{name: a}}\nspec: {{}}\n": (4, "spec: missing property 'containers'"),
        f"{pod}spec:\n  containers: null\n": (4, "spec.containers: got null, want array"),
        f"{pod}spec:\n  containers: []\n": (4, "spec.containers: minItems: got 0, want 1"),
        f"{pod}spec:\n  containers:\n  - null\n": (5, "spec.containers.0: got null, want object"),
        f"{pod}spec:\n  containers:\n    a: {{}}\n": (4, "spec.containers: got object, want array"),
        f"{pod}metadata: a\nspec: [b]\n": (3, "metadata: got string, want object"),
        f"{pod}metadata: [a]\nspec: [b]\n": (4, "spec: got array, want object"),
        f"{pod}metadata:\n  name: 5\nspec: [b]\n": (4, "metadata.name: got number, want string"),
        f"{pod}metadata:\n  name: 5\nspec: b\n": (5, "spec: got string, want object"),
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n": (1, "missing property 'spec'"),
        "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: a}\n": (1, "missing property 'spec'"),
        "apiVersion: v1\nkind: ReplicationController\nspec:\n  template:\n    spec:\n": (
            5,
            "spec.template.spec: got null, want object",
        ),
    }
    for number, text in enumerate(cases):
        (folder / f"{number}.yaml").write_text(text, encoding="utf-8")
    found = {(one.file, one.line, one.message) for one in judge(repository, folder, isolate=True).findings}
    wanted = {(str(folder / f"{number}.yaml"), *case) for number, case in enumerate(cases.values())}
    assert wanted - found == set()


def test_null_is_nothing_wherever_the_api_lets_a_field_be_absent(repository: Path, file: Path) -> None:
    nulls = "  hostPID: null\n  hostUsers: null\n  volumes: null\n  initContainers: null\n  os: null\n  containers:"
    file.write_text(POD.replace("  containers:", nulls), encoding="utf-8")
    assert judge(repository, file, pss="restricted").findings == ()


def test_fields_of_the_wrong_type_are_schema_findings_and_no_way_past_the_rules(repository: Path, file: Path) -> None:
    broken = POD.replace(
        "  securityContext:\n    runAs", '  hostPID: "true"\n  securityContext:\n    runAsUser: "0"\n    runAs'
    )
    broken = broken.replace("capabilities: {drop: [ALL]}", "capabilities: {drop: [ALL], add: SYS_ADMIN}")
    file.write_text(broken, encoding="utf-8")
    found = judge(repository, file, pss="restricted").findings
    assert [one.message for one in found if one.rule == "schema"] == [
        "spec.hostPID: got string, want null or boolean",
        "spec.securityContext.runAsUser: got string, want null or integer",
        "spec.containers.0.securityContext.capabilities.add: got string, want null or array",
    ]
    assert {one.rule for one in found} == {
        "schema",
        "pss-host-namespaces",
        "pss-run-as-user",
        "pss-capabilities-baseline",
        "pss-capabilities-restricted",
    }


def test_quantities_are_numbers_or_texts(repository: Path, file: Path) -> None:
    file.write_text(POD.replace("{cpu: 100m, memory: 64Mi}", "{cpu: 0.1, memory: 64000000}"), encoding="utf-8")
    assert judge(repository, file, pss="restricted").findings == ()


def test_an_object_of_which_only_the_start_of_the_name_is_known_is_judged(repository: Path, file: Path) -> None:
    broken = POD.replace("  name: web\n", "  generateName: web-\n", 1).replace("spec:\n", "spec:\n  hostPID: true\n", 1)
    file.write_text(broken.replace("restartPolicy", "restart"), encoding="utf-8")
    (finding,) = judge(repository, file, pss="baseline").findings
    assert (finding.rule, finding.resource.name) == ("pss-host-namespaces", "web-")


def test_each_problem_is_told_of_its_own_object_even_where_two_have_one_name(repository: Path, file: Path) -> None:
    broken = POD.replace("  automount", "  restartPolcy: Never\n  automount")
    indented = broken.replace("\n", "\n  ").rstrip()
    file.write_text(f"{POD}---\n{broken}---\nkind: List\napiVersion: v1\nitems:\n- {indented}\n", encoding="utf-8")
    found = [(one.line, one.message) for one in judge(repository, file).findings if one.rule == "schema"]
    first = POD.count("\n") + 1 + broken.splitlines().index("  restartPolcy: Never") + 1
    second = file.read_text(encoding="utf-8").splitlines().index("    restartPolcy: Never") + 1
    assert found == [(line, "spec: additional properties 'restartPolcy' not allowed") for line in (first, second)]


def test_anchors_are_followed_and_a_bomb_of_them_is_refused(repository: Path, file: Path) -> None:
    shared = POD.replace("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false").replace(
        "      securityContext:\n        allow", "      securityContext: &context\n        allow"
    )
    second = "\n".join(POD[POD.index("    - name: app") : POD.index("      securityContext:")].splitlines())
    file.write_text(
        f"{shared}{second.replace('name: app', 'name: side')}\n      securityContext: *context\n", encoding="utf-8"
    )
    assert [rule for rule, _ in rules(judge(repository, file))] == ["read-only-root-filesystem"] * 2
    bomb = "".join(f"a{one}: &a{one} [{', '.join([f'*a{one - 1}'] * 9)}]\n" for one in range(1, 9))
    file.write_text(f"apiVersion: v1\nkind: ConfigMap\na0: &a0 [{', '.join('x' * 9)}]\n{bomb}", encoding="utf-8")
    with pytest.raises(UserError, match="aliases, written out, make more than 1000000 values") as caught:
        judge(repository, file)
    assert caught.value.line == 9


def test_a_pipe_is_read_once_and_findings_have_their_lines(repository: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    text = POD.replace("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false")
    with ThreadPoolExecutor(1) as pool:
        pool.submit(pipe.write_text, text, encoding="utf-8")
        found = rules(judge(repository, pipe))
    assert found == [
        ("read-only-root-filesystem", text.splitlines().index("        readOnlyRootFilesystem: false") + 1)
    ]


def test_the_command_takes_files_and_folders_and_refuses_what_is_missing(repository: Path, file: Path) -> None:
    file.write_text(POD.replace("  automountServiceAccountToken: false\n", ""), encoding="utf-8")
    program = Path(sys.executable).with_name("cartwright")
    command = [program, "check", "--format", "json", "--manifests"]
    done = subprocess.run([*command, file, file.parent / "gone.yaml"], capture_output=True, text=True, check=False)
    told = json.loads(done.stdout)["error"]
    assert (done.returncode, told["where"], told["exitCode"]) == (2, str(file.parent / "gone.yaml"), 2)
    assert done.stderr.endswith("gone.yaml: no such file or folder\n")
    done = subprocess.run([*command, file, "--isolate"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    data = json.loads(done.stdout)
    assert data["evaluated"]["objects"] == 1
    assert [one["rule"] for one in data["findings"]] == ["automount-token"]


@pytest.fixture
def deploy(tmp_path: Path) -> Path:
    """A folder as people have them: a chart, values, a base with an overlay, and a manifest."""
    folder = tmp_path / "deploy"
    kustomization = "resources: [../base]\ncomponents: [../part]\nnamePrefix: a-\n"
    files = {
        "chart/Chart.yaml": "apiVersion: v2\nname: web\n",
        "chart/templates/pod.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {{ .Values.metadata }}\n",
        "chart/values.yaml": "metadata: {name: a}\n",
        "base/kustomization.yaml": "resources: [pod.yaml]\n",
        "base/pod.yaml": POD.replace("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false"),
        "part/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\n"
        "kind: Component\ncommonAnnotations: {a: b}\n",
        "overlay/kustomization.yaml": kustomization,
        "pod.yaml": POD.replace("name: web", "name: other"),
        "empty.yaml": "# later\n",
    }
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return folder


def test_a_folder_is_rendered_and_what_is_no_manifest_skipped_and_counted(
    repository: Path, deploy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = judge(repository, deploy)
    pod = (deploy / "base" / "pod.yaml").read_text(encoding="utf-8").splitlines()
    (finding,) = report.findings
    assert (finding.file, finding.line) == (
        str(deploy / "base" / "pod.yaml"),
        pod.index("        readOnlyRootFilesystem: false") + 1,
    )
    assert (finding.rule, finding.resource.name) == ("read-only-root-filesystem", "a-web")
    assert report.coverage.objects == 2
    assert capsys.readouterr().err == "3 files are not manifests and were skipped\n"


def test_a_strict_check_refuses_what_is_no_manifest(repository: Path, deploy: Path) -> None:
    with pytest.raises(UserError, match=r"chart/Chart.yaml: document 1 is not a Kubernetes object: it has no kind"):
        check_manifests(open_tree(repository), [deploy], strict=True)
    shutil.rmtree(deploy / "chart")
    assert check_manifests(open_tree(repository), [deploy], strict=True).coverage.objects == 2


def test_a_file_that_is_half_a_manifest_is_not_skipped(repository: Path, deploy: Path) -> None:
    (deploy / "half.yaml").write_text(f"{POD}---\nkind: Pod\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"half.yaml: document 2 is not a Kubernetes object: it has no apiVersion"):
        judge(repository, deploy)


def test_a_kustomization_that_can_not_be_rendered_is_a_finding(repository: Path, deploy: Path) -> None:
    (deploy / "overlay" / "kustomization.yaml").write_text("resources:\n- gone.yaml\n", encoding="utf-8")
    found = [one for one in judge(repository, deploy).findings if one.rule == "render"]
    assert [(one.file, one.line) for one in found] == [(str(deploy / "overlay" / "kustomization.yaml"), 2)]
    assert "'gone.yaml': no such file or folder" in found[0].message
