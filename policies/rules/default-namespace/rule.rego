# METADATA
# title: >-
#   No object is in the namespace default
# description: >-
#   default has no owner, no quota, no network policy and no Pod Security level. Objects land there when somebody
#   forgets the namespace. Secrets are exempt, so that nothing in the cluster needs to read them for this rule.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/overview/working-with-objects/namespaces/
#     description: Kubernetes on namespaces
# custom:
#   id: default-namespace
#   severity: error
#   scope: object
#   kinds:
#     - {group: "", kind: ConfigMap}
#     - {group: "", kind: Endpoints}
#     - {group: "", kind: LimitRange}
#     - {group: "", kind: PersistentVolumeClaim}
#     - {group: "", kind: Pod}
#     - {group: "", kind: ReplicationController}
#     - {group: "", kind: ResourceQuota}
#     - {group: "", kind: Service}
#     - {group: "", kind: ServiceAccount}
#     - {group: apps, kind: DaemonSet}
#     - {group: apps, kind: Deployment}
#     - {group: apps, kind: ReplicaSet}
#     - {group: apps, kind: StatefulSet}
#     - {group: autoscaling, kind: HorizontalPodAutoscaler}
#     - {group: batch, kind: CronJob}
#     - {group: batch, kind: Job}
#     - {group: gateway.networking.k8s.io, kind: GRPCRoute}
#     - {group: gateway.networking.k8s.io, kind: Gateway}
#     - {group: gateway.networking.k8s.io, kind: HTTPRoute}
#     - {group: monitoring.coreos.com, kind: PodMonitor}
#     - {group: monitoring.coreos.com, kind: Prometheus}
#     - {group: monitoring.coreos.com, kind: PrometheusRule}
#     - {group: monitoring.coreos.com, kind: ServiceMonitor}
#     - {group: networking.k8s.io, kind: Ingress}
#     - {group: networking.k8s.io, kind: NetworkPolicy}
#     - {group: policy, kind: PodDisruptionBudget}
#     - {group: rbac.authorization.k8s.io, kind: Role}
#     - {group: rbac.authorization.k8s.io, kind: RoleBinding}
#   parameters:
#     namespaces:
#       description: Namespaces that must not hold our objects.
#       type: array
#       items: {type: string}
#       default: [default, kube-node-lease, kube-public]
#   example: {bad: default, good: named}
#   remedy: Set the namespace in the overlay's kustomization.yaml to one of clusters/base/namespaces.
package cartwright.rules.default_namespace

import data.lib.inventory
import data.lib.report

violation contains report.at(input.review.object, ["metadata", "namespace"], text) if {
	namespace := inventory.namespace(input.review.object)
	namespace in input.parameters.namespaces
	text := sprintf("stands in the namespace %s, which belongs to nobody; name one of its own", [namespace])
}
