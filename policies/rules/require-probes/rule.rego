# METADATA
# title: Containers have readiness and liveness probes
# description: >-
#   Without a readiness probe a pod gets requests before it can answer, and a rollout continues although the new version
#   does not work. Without a liveness probe a hanging process hangs until somebody notices.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/
#     description: Kubernetes on probes
# custom:
#   id: require-probes
#   severity: error
#   scope: object
#   # Jobs and CronJobs run to their end: the exit code says how they are.
#   kinds:
#     - {group: "", kind: Pod}
#     - {group: "", kind: ReplicationController}
#     - {group: apps, kind: DaemonSet}
#     - {group: apps, kind: Deployment}
#     - {group: apps, kind: ReplicaSet}
#     - {group: apps, kind: StatefulSet}
#   parameters:
#     probes:
#       description: The probes that each container, sidecars included, must have.
#       type: array
#       items: {type: string, enum: [startup, liveness, readiness]}
#       default: [liveness, readiness]
#   example: {bad: no-readiness, good: both}
#   remedy: Add the probe, with one of httpGet, tcpSocket, grpc or exec.
package cartwright.rules.require_probes

import data.lib.report
import data.lib.workload

violation contains report.in_container(input.review.object, container, [field], text) if {
	_keeps_running
	some container in workload.long_running(input.review.object)
	some probe in input.parameters.probes
	field := sprintf("%sProbe", [probe])
	not _asks(container.spec, field)
	text := sprintf("has no %s probe; add a %s with httpGet, tcpSocket, grpc or exec", [probe, field])
}

# Pods that workloads make run for ever. One that a Job made, or that stands for itself and ends, says so.
_keeps_running if input.review.object.kind != "Pod"

_keeps_running if not _ends

_ends if workload.pod_spec(input.review.object).restartPolicy in {"Never", "OnFailure"}

_asks(container, field) if {
	some handler, what in {"httpGet": "port", "tcpSocket": "port", "grpc": "port", "exec": "command"}
	asked := container[field][handler][what]
	not asked in {null, "", []}
}
