# METADATA
# title: An environment has all safeguards of its upstream
# description: >-
#   If staging has a NetworkPolicy, a quota, a budget or an alert that prod lacks, somebody forgot it in an overlay.
#   Nothing breaks, but nothing protects or warns either.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/application-security-checklist/
#     description: Kubernetes' checklist for the security of applications
# custom:
#   id: safeguards-not-below-upstream
#   severity: error
#   scope: fleet
#   kinds: [{group: "", kind: Namespace}]
#   example: {bad: monitor, good: monitor}
#   remedy: Add the object to the environment's overlay, best through the base or a shared component.
package cartwright.rules.safeguards_not_below_upstream

import data.lib.fleet
import data.lib.report

violation contains report.at(input.review.object, [], text) if {
	namespace := input.review.object.metadata.name
	some found in fleet.counterparts(input.review.object, input.environment)
	some version, kinds in data.fleet.environments[found.environment].inventory.namespace[namespace]
	some kind in _safeguards[split(version, "/")[0]]
	some name, _ in kinds[kind]
	not _is_here(namespace, version, kind, name)
	text := sprintf(
		"lacks %s/%s, which %s has in this namespace; add it to the overlay",
		[kind, name, found.environment],
	)
}

_is_here(namespace, version, kind, name) if data.inventory.namespace[namespace][version][kind][name]

_safeguards := {
	"v1": ["LimitRange", "ResourceQuota"],
	"monitoring.coreos.com": ["PodMonitor", "PrometheusRule", "ServiceMonitor"],
	"networking.k8s.io": ["NetworkPolicy"],
	"policy": ["PodDisruptionBudget"],
}
