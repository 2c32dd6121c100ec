# METADATA
# title: An admission webhook that fails closed excludes kube-system
# description: >-
#   If a webhook must answer for the system's own pods and is down, those pods can't be repaired. If the webhook needs
#   them to start, the cluster can't recover.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/cluster-administration/admission-webhooks-good-practices/
#     description: Kubernetes on good practice with admission webhooks
# custom:
#   id: webhook-spares-kube-system
#   severity: error
#   scope: object
#   kinds: [{group: admissionregistration.k8s.io, kind: ValidatingWebhookConfiguration}, {group: admissionregistration.k8s.io, kind: MutatingWebhookConfiguration}]
#   parameters:
#     maximumTimeout:
#       description: Longest time, in seconds, that the API server may wait for an answer.
#       type: integer
#       default: 10
#   remedy: >-
#     Exclude kube-system with a namespaceSelector on kubernetes.io/metadata.name, and set a timeout of a few seconds at
#     most.
package cartwright.rules.webhook_spares_kube_system

import data.lib.report
import data.lib.selector

violation contains report.at(input.review.object, ["webhooks", index, "namespaceSelector"], text) if {
	some index, webhook in input.review.object.webhooks
	is_object(webhook)
	_fails_closed(webhook)
	_is_asked_about_it(webhook)
	not _is_narrowed(webhook)
	text := sprintf("webhook %v must answer for kube-system too; leave that out by namespaceSelector", [
		object.get(webhook, "name", ""),
	])
}

violation contains report.at(input.review.object, ["webhooks", index, "timeoutSeconds"], text) if {
	some index, webhook in input.review.object.webhooks
	webhook.timeoutSeconds > input.parameters.maximumTimeout
	text := sprintf("webhook %v lets the API server wait for %v seconds; %v at most", [
		object.get(webhook, "name", ""),
		webhook.timeoutSeconds,
		input.parameters.maximumTimeout,
	])
}

_fails_closed(webhook) if not webhook.failurePolicy == "Ignore"

_is_asked_about_it(webhook) if {
	_has_it(object.get(webhook, "namespaceSelector", null))
	some rule in webhook.rules
	_is_about_namespaced(rule)
}

_has_it(null)

_has_it(wanted) if selector.matches(wanted, {"kubernetes.io/metadata.name": "kube-system"})

_is_about_namespaced(rule) if {
	is_object(rule)
	object.get(rule, "scope", "*") != "Cluster"
	some resource in rule.resources
	resource != "namespaces"
}

# Objects that say of themselves that they want it, or an expression that chooses.
_is_narrowed(webhook) if {
	some _ in webhook.objectSelector.matchLabels
}

_is_narrowed(webhook) if {
	some _ in webhook.objectSelector.matchExpressions
}

_is_narrowed(webhook) if {
	some _ in webhook.matchConditions
}
