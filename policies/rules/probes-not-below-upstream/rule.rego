# METADATA
# title: Containers have all probes of the upstream
# description: >-
#   If staging has a probe and prod does not, staging stops a broken release and prod lets it through.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/workloads/pods/probes/
#     description: Kubernetes on probes
# custom:
#   id: probes-not-below-upstream
#   severity: error
#   scope: fleet
#   kinds: pod-carrying
#   example: {bad: missing, good: same}
#   remedy: Give the container the probe of the upstream, best in the base, so that every environment has it.
package cartwright.rules.probes_not_below_upstream

import data.lib.fleet
import data.lib.report

violation contains report.in_container(input.review.object, pair.own, [field], text) if {
	some pair in fleet.containers(input.review.object, input.environment)
	some field in ["startupProbe", "readinessProbe", "livenessProbe"]
	_has(pair.other, field)
	not _has(pair.own.spec, field)
	text := sprintf("has no %s, while in %s it has one; add it in the base", [field, pair.environment])
}

_has(container, field) if {
	is_object(container[field])
	count(container[field]) > 0
}
