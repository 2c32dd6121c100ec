# METADATA
# title: An environment has all safeguards of its upstream
# description: >-
#   If staging has a NetworkPolicy, a quota, a budget or an alert that prod lacks, somebody forgot it in an overlay.
#   Nothing breaks, but nothing protects or warns either. The safeguards of an app come with the app: they are not missed
#   where nothing of it runs yet.
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
import data.lib.workload

violation contains report.at(input.review.object, [], text) if {
	namespace := input.review.object.metadata.name
	some found in fleet.counterparts(input.review.object, input.environment)
	some version, kinds in data.fleet.environments[found.environment].inventory.namespace[namespace]
	some kind in _safeguards[split(version, "/")[0]]
	some name, safeguard in kinds[kind]
	not _is_here(namespace, version, kind, name)
	not _comes_later(namespace, found.environment, safeguard)
	text := sprintf(
		"lacks %s/%s, which %s has in this namespace; add it to the overlay",
		[kind, name, found.environment],
	)
}

_is_here(namespace, version, kind, name) if data.inventory.namespace[namespace][version][kind][name]

# The app that a safeguard is named after runs upstream, and its first promotion to here has not come.
_comes_later(namespace, upstream, safeguard) if {
	app := safeguard.metadata.labels["app.kubernetes.io/name"]
	_runs(data.fleet.environments[upstream].inventory, namespace, app)
	not _runs(data.inventory, namespace, app)
}

_runs(objects, namespace, app) if {
	some kinds in objects.namespace[namespace]
	some kind, _ in workload.spec_paths
	some found in kinds[kind]
	found.metadata.labels["app.kubernetes.io/name"] == app
}

_safeguards := {
	"v1": ["LimitRange", "ResourceQuota"],
	"monitoring.coreos.com": ["PodMonitor", "PrometheusRule", "ServiceMonitor"],
	"networking.k8s.io": ["NetworkPolicy"],
	"policy": ["PodDisruptionBudget"],
}
