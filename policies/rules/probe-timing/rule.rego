# METADATA
# title: A probe ends before the next one begins
# description: >-
#   With a timeout above the period, probes wait for each other and failures are noticed later than the numbers say. The
#   API server accepts only 1 as successThreshold of liveness and startup probes.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/
#     description: Kubernetes on probes
# custom:
#   id: probe-timing
#   severity: error
#   scope: object
#   kinds: pod-carrying
#   remedy: >-
#     Set timeoutSeconds below periodSeconds, and successThreshold of liveness and startup probes to 1.
package cartwright.rules.probe_timing

import data.lib.report
import data.lib.scale
import data.lib.workload

violation contains report.in_container(input.review.object, container, [field, "timeoutSeconds"], text) if {
	some container in workload.long_running(input.review.object)
	some field in ["startupProbe", "readinessProbe", "livenessProbe"]
	probe := container.spec[field]
	timeout := scale.number_or(probe, "timeoutSeconds", 1)
	period := scale.number_or(probe, "periodSeconds", 10)
	timeout > period
	text := sprintf("its %s waits %v seconds for an answer and asks every %v; lower timeoutSeconds", [field, timeout, period])
}

violation contains report.in_container(input.review.object, container, [field, "successThreshold"], text) if {
	some container in workload.long_running(input.review.object)
	some field in ["startupProbe", "livenessProbe"]
	wanted := scale.number_or(container.spec[field], "successThreshold", 1)
	wanted != 1
	text := sprintf("its %s waits for %v successes, which the API server refuses; set successThreshold to 1", [field, wanted])
}
