# METADATA
# title: Pods mount an API token only if they need it
# description: >-
#   By default Kubernetes mounts a token of the pod's ServiceAccount into every container. Whoever breaks into a
#   container can talk to the API server with it.
# related_resources:
#   - ref: https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/
#     description: Kubernetes on opting out of API credential automounting
# custom:
#   id: automount-token
#   severity: error
#   scope: environment
#   kinds: pod-carrying
#   parameters:
#     serviceAccounts:
#       description: ServiceAccounts whose pods talk to the API server, as namespace/name.
#       type: array
#       items: {type: string, pattern: "^[a-z0-9-]+/[a-z0-9.-]+$"}
#       default: []
#   reads: [ServiceAccount]
#   remedy: >-
#     Set automountServiceAccountToken to false in the pod's spec. If the pod needs the API server, add its
#     ServiceAccount to the parameter `serviceAccounts` in environment.yaml.
package cartwright.rules.automount_token

import data.lib.inventory
import data.lib.report
import data.lib.workload

violation contains report.in_pod(input.review.object, ["automountServiceAccountToken"], text) if {
	not _declined(object.get(_pod_spec, "automountServiceAccountToken", null))
	not _may_have_token
	text := sprintf(
		"mounts a token of the ServiceAccount %v into its pods; set automountServiceAccountToken to false",
		[_account],
	)
}

_pod_spec := workload.pod_spec(input.review.object)

default _account := "default"

# The second is its older name, which still works.
_account := [name |
	some field in ["serviceAccountName", "serviceAccount"]
	name := _pod_spec[field]
	not name in {"", null}
][0]

# What the pod says counts; the ServiceAccount is asked only where the pod says nothing.
_declined(false)

_declined(null) if {
	account := inventory.named_beside(input.review.object, "", "ServiceAccount", _account)
	account.automountServiceAccountToken == false
}

_may_have_token if {
	full_name := sprintf("%s/%v", [inventory.namespace(input.review.object), _account])
	full_name in input.parameters.serviceAccounts
}
