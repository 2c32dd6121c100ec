# METADATA
# title: Every pod's ServiceAccount exists
# description: >-
#   The API server refuses a pod whose ServiceAccount does not exist, and the Deployment silently waits without pods.
#   Whoever may create an account of that name decides what the pod may do.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/service-accounts/
#     description: Kubernetes on ServiceAccounts
# custom:
#   id: service-account-exists
#   severity: error
#   scope: environment
#   kinds: pod-carrying
#   example: {bad: name, good: there}
#   reads: [ServiceAccount]
#   remedy: Add the ServiceAccount to the app, or correct its name in the pod's spec.
package cartwright.rules.service_account_exists

import data.lib.inventory
import data.lib.report
import data.lib.workload

violation contains report.in_pod(input.review.object, [_field], text) if {
	not _name in {"", null, "default"}
	not inventory.named_beside(input.review.object, "", "ServiceAccount", _name)
	text := sprintf("runs as ServiceAccount %v, which does not exist; create it or name another", [_name])
}

_spec := workload.pod_spec(input.review.object)

# The older name of the field counts where the newer one is left out.
default _field := "serviceAccountName"

_field := "serviceAccount" if {
	object.get(_spec, "serviceAccountName", "") in {"", null}
	_spec.serviceAccount
}

_name := object.get(_spec, _field, "")
