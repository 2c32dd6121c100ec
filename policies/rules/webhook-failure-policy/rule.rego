# METADATA
# title: Admission webhooks fail closed
# description: >-
#   With failurePolicy Ignore, a webhook that is down admits everything: whoever can overload it can bypass it.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/cluster-administration/admission-webhooks-good-practices/
#     description: Kubernetes on good practice with admission webhooks
# custom:
#   id: webhook-failure-policy
#   severity: error
#   scope: object
#   kinds: [{group: admissionregistration.k8s.io, kind: ValidatingWebhookConfiguration}, {group: admissionregistration.k8s.io, kind: MutatingWebhookConfiguration}]
#   parameters:
#     exempt:
#       description: Names of webhooks that are not safeguards and may be bypassed.
#       type: array
#       items: {type: string}
#       default: []
#   example: {bad: ignore, good: fail}
#   remedy: >-
#     Set failurePolicy to Fail, run more than one replica, and exclude kube-system. If the webhook is not a safeguard,
#     add it to the parameter `exempt` in environment.yaml.
package cartwright.rules.webhook_failure_policy

import data.lib.report

violation contains report.at(input.review.object, ["webhooks", index, "failurePolicy"], text) if {
	some index, webhook in input.review.object.webhooks
	policy := _policy(webhook)
	policy != "Fail"
	not _name(webhook) in input.parameters.exempt
	text := sprintf("webhook %v has failurePolicy %v: what it guards is open while it is down; set Fail", [
		_name(webhook),
		policy,
	])
}

_policy(webhook) := found if {
	found := webhook.failurePolicy
	found != null
} else := _default if {
	is_object(webhook)
}

# The first version of the API failed open.
default _default := "Fail"

_default := "Ignore" if input.review.object.apiVersion == "admissionregistration.k8s.io/v1beta1"

_name(webhook) := object.get(webhook, "name", "")
