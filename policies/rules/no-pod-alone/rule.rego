# METADATA
# title: Every pod has a workload
# description: >-
#   When a node goes, its bare Pods go with it, and nothing recreates them. A bare Pod can't be rolled out either,
#   because almost nothing of a Pod can be changed.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/workloads/pods/#pods-and-controllers
#     description: Kubernetes on pods and controllers
# custom:
#   id: no-pod-alone
#   severity: error
#   scope: object
#   kinds: [{group: "", kind: Pod}]
#   example: {bad: alone, good: deployment}
#   remedy: Write a Deployment, a StatefulSet or a Job, which creates the Pod.
package cartwright.rules.no_pod_alone

import data.lib.report

violation contains report.at(input.review.object, ["kind"], text) if {
	not _has_owner
	not _is_hook
	text := "stands for itself, so nothing makes another when its node goes; write a Deployment or a Job"
}

# Whoever owns a Pod need not be its controller: a node owns the copies of its static pods.
_has_owner if some _ in input.review.object.metadata.ownerReferences

_is_hook if input.review.object.metadata.annotations["argocd.argoproj.io/hook"]
