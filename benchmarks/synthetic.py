"""Synthetic repositories: n apps × m environments with shared components. Every benchmark and many tests use them.

>>> from pathlib import Path
>>> write_repository(Path("/tmp/shop"), apps=2, environments=["dev", "prod"])  # doctest: +SKIP
"""

from __future__ import annotations

import hashlib
import json
import shutil
import textwrap
from collections.abc import Sequence
from pathlib import Path

from cartwright.history.pinned import Pinned
from cartwright.history.releasetree import render_kustomization
from cartwright.network import generate, parse_dependencies

__all__ = ["write_repository"]

_REPOSITORY = Path(__file__).resolve().parents[1]


def write_repository(
    root: Path, *, apps: int, environments: Sequence[str], policies: Path | None = None, releases: bool = True
) -> Path:
    """Write a repository that passes `cartwright check`, and return its root.

    Args:
        root: an empty or missing folder.
        apps: how many apps, named ``app-000`` and so on, all in the group ``shop``.
        environments: their names, lowest rank first; each is the upstream of the next.
        policies: the policies folder to copy; this repository's own by default.
        releases: whether overlays of later environments have their ``release/``; else all of them follow main.
    """
    shutil.copytree(
        policies or _REPOSITORY / "policies", root / "policies", ignore=shutil.ignore_patterns("cases.yaml")
    )
    _write(root / "policies" / "waivers.yaml", "waivers: []\n")
    names = [f"app-{number:03}" for number in range(apps)]
    _write_argocd(root, environments)
    _write_components(root)
    for schema in sorted((_REPOSITORY / "environments").glob("*.schema.json")):
        _write(root / "environments" / schema.name, schema.read_text(encoding="utf-8"))
    for rank, environment in enumerate(environments, start=1):
        _write_environment(root, environment, rank, environments[: rank - 1][-1:])
        _write_cluster(root, environment)
        for name in names:
            has_release = releases and rank > 1
            _write_overlay(root, environment, name, largest=environment == environments[-1], has_release=has_release)
    for name in names:
        _write_base(root, name)
    _write_network(root, names)
    for environment in environments[1:] if releases else ():
        for name in names:
            _write_release(root, environment, name)
    return root


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")


def _write_argocd(root: Path, environments: Sequence[str]) -> None:
    _write(
        root / "argocd" / "root.yaml",
        """
        apiVersion: argoproj.io/v1alpha1
        kind: Application
        metadata: {name: root, namespace: argocd}
        spec:
          project: bootstrap
          source: {repoURL: "https://git.example.com/shop.git", targetRevision: refs/heads/main, path: argocd}
          destination: {name: in-cluster, namespace: argocd}
          syncPolicy:
            automated: {prune: true, selfHeal: true}
            syncOptions: [ServerSideApply=true, PruneLast=true, FailOnSharedResource=true]
        ---
        apiVersion: argoproj.io/v1alpha1
        kind: AppProject
        metadata: {name: bootstrap, namespace: argocd}
        spec:
          sourceRepos: ["https://git.example.com/shop.git"]
          destinations: [{name: in-cluster, namespace: argocd}]
          namespaceResourceWhitelist:
            - {group: argoproj.io, kind: AppProject}
            - {group: argoproj.io, kind: ApplicationSet}
        """,
    )
    listed = "".join(f"  - {environment}.yaml\n" for environment in environments)
    _write(
        root / "argocd" / "kustomization.yaml",
        f"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n{listed}",
    )
    for environment in environments:
        _write(
            root / "argocd" / f"{environment}.yaml",
            f"""
            apiVersion: argoproj.io/v1alpha1
            kind: ApplicationSet
            metadata: {{name: {environment}, namespace: argocd}}
            spec:
              goTemplate: true
              goTemplateOptions: [missingkey=error]
              generators:
                - git:
                    repoURL: https://git.example.com/shop.git
                    revision: refs/heads/main
                    directories:
                      - path: environments/{environment}/*/*
                    values:
                      name: "{{{{ index .path.segments 2 }}}}-{{{{ .path.basename }}}}"
                      namespace: "{{{{ index .path.segments 2 }}}}"
                - git:
                    repoURL: https://git.example.com/shop.git
                    revision: refs/heads/main
                    directories:
                      - path: clusters/{environment}
                    values:
                      name: cluster
                      namespace: shop
              syncPolicy: {{applicationsSync: create-update, preserveResourcesOnDeletion: true}}
              template:
                metadata:
                  name: "{environment}-{{{{ .values.name }}}}"
                spec:
                  project: {environment}
                  source:
                    repoURL: https://git.example.com/shop.git
                    targetRevision: refs/heads/main
                    path: "{{{{ .path.path }}}}"
                  destination:
                    name: {environment}
                    namespace: "{{{{ .values.namespace }}}}"
                  syncPolicy:
                    automated: {{prune: true, selfHeal: true}}
                    syncOptions: [ServerSideApply=true, PruneLast=true, FailOnSharedResource=true]
            ---
            apiVersion: argoproj.io/v1alpha1
            kind: AppProject
            metadata: {{name: {environment}, namespace: argocd}}
            spec:
              sourceRepos: ["https://git.example.com/shop.git"]
              destinations: [{{name: {environment}, namespace: shop}}]
              clusterResourceWhitelist: [{{group: "", kind: Namespace}}]
              namespaceResourceWhitelist:
                - {{group: "", kind: ConfigMap}}
                - {{group: "", kind: Service}}
                - {{group: "", kind: ServiceAccount}}
                - {{group: apps, kind: Deployment}}
                - {{group: networking.k8s.io, kind: NetworkPolicy}}
                - {{group: policy, kind: PodDisruptionBudget}}
            """,
        )


def _write_environment(root: Path, environment: str, rank: int, upstreams: Sequence[str]) -> None:
    _write(
        root / "environments" / environment / "environment.yaml",
        f"""
        name: {environment}
        cluster: {environment}
        rank: {rank}
        upstreams: [{", ".join(upstreams)}]
        gates:
          soak: 0s
          health: false
          approvals: 0
          freezes: []
        podSecurity: restricted
        """,
    )


def _write_cluster(root: Path, environment: str) -> None:
    folder = root / "clusters" / environment
    _write(
        folder / "kustomization.yaml",
        """
        apiVersion: kustomize.config.k8s.io/v1beta1
        kind: Kustomization
        resources:
          - namespace.yaml
          - networkpolicy.yaml
        """,
    )
    _write(
        folder / "namespace.yaml",
        """
        apiVersion: v1
        kind: Namespace
        metadata:
          name: shop
          labels:
            pod-security.kubernetes.io/enforce: restricted
        """,
    )
    _write(
        folder / "networkpolicy.yaml",
        """
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata:
          name: default-deny
          namespace: shop
        spec:
          podSelector: {}
          policyTypes: [Ingress, Egress]
        """,
    )


def _write_components(root: Path) -> None:
    _write(
        root / "apps" / "components" / "labels" / "kustomization.yaml",
        """
        apiVersion: kustomize.config.k8s.io/v1alpha1
        kind: Component
        labels:
          - pairs:
              app.kubernetes.io/part-of: shop
            includeTemplates: true
        """,
    )
    _write(
        root / "apps" / "components" / "disruption-budget" / "kustomization.yaml",
        """
        apiVersion: kustomize.config.k8s.io/v1alpha1
        kind: Component
        resources:
          - budget.yaml
        replacements:
          - source: {kind: Deployment, fieldPath: metadata.name}
            targets:
              - select: {kind: PodDisruptionBudget}
                fieldPaths:
                  - metadata.name
                  - spec.selector.matchLabels.[app.kubernetes.io/name]
        """,
    )
    _write(
        root / "apps" / "components" / "disruption-budget" / "budget.yaml",
        """
        apiVersion: policy/v1
        kind: PodDisruptionBudget
        metadata:
          name: app
        spec:
          minAvailable: 1
          selector:
            matchLabels:
              app.kubernetes.io/name: app
        """,
    )


def _write_base(root: Path, name: str) -> None:
    folder = root / "apps" / "shop" / name
    _write(
        folder / "kustomization.yaml",
        f"""
        apiVersion: kustomize.config.k8s.io/v1beta1
        kind: Kustomization
        resources:
          - serviceaccount.yaml
          - service.yaml
          - networkpolicy.yaml
          - deployment.yaml
        configMapGenerator:
          - name: {name}
            literals:
              - LOG_LEVEL=info
        """,
    )
    _write(
        folder / "serviceaccount.yaml",
        f"""
        apiVersion: v1
        kind: ServiceAccount
        metadata:
          name: {name}
        automountServiceAccountToken: false
        """,
    )
    _write(
        folder / "service.yaml",
        f"""
        apiVersion: v1
        kind: Service
        metadata:
          name: {name}
        spec:
          selector:
            app.kubernetes.io/name: {name}
          ports:
            - name: http
              port: 80
              targetPort: http
        """,
    )
    _write(
        folder / "deployment.yaml",
        f"""
        apiVersion: apps/v1
        kind: Deployment
        metadata:
          name: {name}
          labels:
            app.kubernetes.io/name: {name}
        spec:
          replicas: 1
          revisionHistoryLimit: 3
          progressDeadlineSeconds: 300
          selector:
            matchLabels:
              app.kubernetes.io/name: {name}
          template:
            metadata:
              labels:
                app.kubernetes.io/name: {name}
            spec:
              serviceAccountName: {name}
              automountServiceAccountToken: false
              enableServiceLinks: false
              topologySpreadConstraints:
                - maxSkew: 1
                  topologyKey: kubernetes.io/hostname
                  whenUnsatisfiable: ScheduleAnyway
                  labelSelector: {{matchLabels: {{app.kubernetes.io/name: {name}}}}}
              securityContext:
                runAsNonRoot: true
                runAsUser: 10001
                seccompProfile:
                  type: RuntimeDefault
              containers:
                - name: app
                  image: ghcr.io/example/cartwright/{name}
                  envFrom:
                    - configMapRef:
                        name: {name}
                  ports:
                    - name: http
                      containerPort: 8080
                  startupProbe: {{httpGet: {{path: /startupz, port: http}}}}
                  readinessProbe: {{httpGet: {{path: /readyz, port: http}}}}
                  livenessProbe: {{httpGet: {{path: /livez, port: http}}}}
                  resources:
                    requests: {{cpu: 100m, memory: 128Mi}}
                    limits: {{cpu: 500m, memory: 128Mi}}
                  securityContext:
                    allowPrivilegeEscalation: false
                    readOnlyRootFilesystem: true
                    capabilities:
                      drop: [ALL]
        """,
    )


def _write_network(root: Path, names: Sequence[str]) -> None:
    """The declared dependency map, in which the apps only resolve names, and the policies that follow from it."""
    schema = (_REPOSITORY / "apps" / "dependencies.schema.json").read_text(encoding="utf-8")
    _write(root / "apps" / "dependencies.schema.json", schema)
    apps = "".join(f"  shop/{name}: {{calls: []}}\n" for name in names)
    text = (
        "version: 1\n"
        "dns: {namespace: kube-system, labels: {k8s-app: kube-dns}, port: 53}\n"
        "outside: {cidrs: [0.0.0.0/0], except: [169.254.169.254/32]}\n"
        "apiServer: {ports: [443, 6443]}\n"
        f"scraper: shop/{names[0]}\n"
        f"apps:\n{apps}"
    )
    file = "apps/dependencies.yaml"
    _write(root / file, text)
    for path, policy in generate(parse_dependencies(text, file, json.loads(schema))).items():
        _write(root / path, policy)


def _pinned(name: str) -> Pinned:
    # A digest of its own for every app: of its name, as there is no image behind a synthetic repository.
    digest = f"sha256:{hashlib.sha256(name.encode()).hexdigest()}"
    return Pinned(f"ghcr.io/example/cartwright/{name}", "1.0.0", digest)


def _write_overlay(root: Path, environment: str, name: str, *, largest: bool, has_release: bool) -> None:
    top = "release" if has_release else "../../../.."
    components = ["labels", *(["disruption-budget"] if largest else [])]
    listed = "".join(f"  - {top}/apps/components/{component}\n" for component in components)
    pin = _pinned(name)
    images = f"images:\n  - name: {pin.image}\n    newTag: {pin.tag}\n    digest: {pin.digest}\n"
    _write(
        root / "environments" / environment / "shop" / name / "kustomization.yaml",
        f"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: shop\n"
        f"resources:\n  - {'release' if has_release else f'{top}/apps/shop/{name}'}\ncomponents:\n{listed}"
        f"replicas:\n  - name: {name}\n    count: {3 if largest else 1}\n{'' if has_release else images}",
    )


def _write_release(root: Path, environment: str, name: str) -> None:
    """What a promotion would write: the base and all components, as the last environment switches them on."""
    release = root / "environments" / environment / "shop" / name / "release"
    for folder in (f"apps/shop/{name}", "apps/components"):
        shutil.copytree(root / folder, release / folder)
    _write(release / "kustomization.yaml", render_kustomization([f"apps/shop/{name}"], [_pinned(name)]))
