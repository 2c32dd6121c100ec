# METADATA
# title: Liveness and readiness probes differ
# description: >-
#   A pod that fails its readiness probe gets no requests; a pod that fails its liveness probe is killed. If both probes
#   are the same with the same patience, a slow minute of a dependency restarts every pod.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/
#     description: Kubernetes on probes
# custom:
#   id: liveness-not-readiness
#   severity: error
#   scope: object
#   kinds:
#     - {group: "", kind: Pod}
#     - {group: "", kind: ReplicationController}
#     - {group: apps, kind: DaemonSet}
#     - {group: apps, kind: Deployment}
#     - {group: apps, kind: ReplicaSet}
#     - {group: apps, kind: StatefulSet}
#   remedy: >-
#     Let the liveness probe ask something that depends on no other service. If both must ask the same, give liveness
#     more patience: a larger periodSeconds times failureThreshold.
package cartwright.rules.liveness_not_readiness

import data.lib.report
import data.lib.scale
import data.lib.workload

violation contains report.in_container(input.review.object, container, ["livenessProbe"], text) if {
	some container in workload.long_running(input.review.object)
	some action in ["httpGet", "tcpSocket", "grpc", "exec"]
	asked := container.spec.livenessProbe[action]
	asked == container.spec.readinessProbe[action]
	is_object(asked)
	_patience(container.spec.livenessProbe) <= _patience(container.spec.readinessProbe)
	text := sprintf(
		"its liveness probe asks what its readiness probe does, and gives up after %v seconds, no later; give it more patience",
		[_patience(container.spec.livenessProbe)],
	)
}

violation contains report.in_container(input.review.object, container, ["livenessProbe", "httpGet", "path"], text) if {
	some container in workload.long_running(input.review.object)
	path := container.spec.livenessProbe.httpGet.path
	is_string(path)
	regex.match(`(?i)(^|[^a-z])(ready|readyz|readiness)([^a-z]|$)`, path)
	text := sprintf("its liveness probe asks %s, which tells whether it is ready; ask whether it is alive", [path])
}

# For how many seconds a probe may fail until it counts.
_patience(probe) := scale.number_or(probe, "periodSeconds", 10) * scale.number_or(probe, "failureThreshold", 3)
