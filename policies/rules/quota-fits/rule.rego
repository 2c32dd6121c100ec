# METADATA
# title: Peak usage fits the quota of the namespace
# description: >-
#   A namespace needs most at the worst moment: every autoscaler at its maximum, a rollout that adds pods, a Job beside
#   them. If that exceeds the quota, the API server refuses pods, and the namespace has fewer than the load needs.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/policy/resource-quotas/
#     description: Kubernetes on resource quotas
# custom:
#   id: quota-fits
#   severity: error
#   scope: environment
#   kinds: [{group: "", kind: ResourceQuota}]
#   parameters:
#     nodes:
#       description: Number of nodes that run a DaemonSet's pods.
#       type: integer
#       minimum: 1
#       default: 3
#   git_only: >-
#     In a cluster a StatefulSet's claims exist too and would count twice; there the API server enforces the quota.
#   example: {bad: cpu, good: fits}
#   reads:
#     - pod-carrying
#     - LimitRange
#     - PersistentVolumeClaim
#     - Service
#     - HorizontalPodAutoscaler.autoscaling
#     - Deployment.extensions
#     - ReplicaSet.extensions
#   remedy: >-
#     Raise the quota, or lower maxReplicas or the pods' requests. Init containers, sidecars, LimitRange defaults and
#     the extra pods of a rollout all count.
package cartwright.rules.quota_fits

import data.lib.demand
import data.lib.inventory
import data.lib.quantity
import data.lib.report
import data.lib.scale

violation contains report.at(input.review.object, ["spec", "hard", key], text) if {
	not _is_for_some_pods
	some key, hard in input.review.object.spec.hard
	needed := _needed(key)
	needed - quantity.amount(hard) > _rounding
	text := sprintf(
		"allows %v of %s, but what its namespace holds may need %s at once; raise it, or lower what is asked for",
		[quantity.shown(hard), key, _shown(key, needed)],
	)
}

violation contains report.at(input.review.object, ["spec", "hard", key], text) if {
	some key, hard in input.review.object.spec.hard
	not _is_quantity(hard)
	text := sprintf("%s is %v, which is not a quantity", [key, hard])
}

# Sums of fractions are not exact, and no quantity is smaller than a thousandth of anything that is counted here.
_rounding := 0.0001

# A quota with scopes counts some pods and not others.
_is_for_some_pods if some _ in input.review.object.spec.scopes

_is_for_some_pods if input.review.object.spec.scopeSelector != null

_is_quantity(value) if _ := quantity.amount(value)

# What nobody controls: the pods of a ReplicaSet count as those of its Deployment.
_workloads := [[found, demand.pods_at_once(found, input.parameters.nodes)] |
	some found in inventory.pods_beside(input.review.object)
	not _is_controlled(found)
]

_is_controlled(resource) if {
	some owner in resource.metadata.ownerReferences
	owner.controller == true
}

_resources := {
	"cpu": ["requests", "cpu"],
	"memory": ["requests", "memory"],
	"ephemeral-storage": ["requests", "ephemeral-storage"],
	"requests.cpu": ["requests", "cpu"],
	"requests.memory": ["requests", "memory"],
	"requests.ephemeral-storage": ["requests", "ephemeral-storage"],
	"limits.cpu": ["limits", "cpu"],
	"limits.memory": ["limits", "memory"],
	"limits.ephemeral-storage": ["limits", "ephemeral-storage"],
}

_needed(key) := sum(amounts) if {
	[side, resource] := _resources[key]
	amounts := [amount |
		some [found, pods] in _workloads
		amount := pods * demand.of_pod(found, side, resource, _defaults)
	]
}

_needed(key) := sum([pods | some [_, pods] in _workloads]) if key in {"pods", "count/pods"}

_needed(key) := sum([number | some [number, _] in _claims]) if {
	key in {"persistentvolumeclaims", "count/persistentvolumeclaims"}
}

_needed("requests.storage") := sum([space |
	some [number, size] in _claims
	space := number * size
])

_needed(key) := count(_services) if key in {"services", "count/services"}

_needed("services.loadbalancers") := count([1 | some found in _services; found.spec.type == "LoadBalancer"])

_needed("services.nodeports") := count([1 |
	some found in _services
	found.spec.type in {"NodePort", "LoadBalancer"}
	not found.spec.allocateLoadBalancerNodePorts == false
	some _ in found.spec.ports
])

_defaults := demand.defaults(input.review.object)

_services := inventory.beside(input.review.object, "", "Service")

# All claims, as how many there are of what size: those that stand for themselves, and one of each template for every
# pod of a StatefulSet.
_claims := array.concat(
	[[1, _size(claim)] | some claim in inventory.beside(input.review.object, "", "PersistentVolumeClaim")],
	[[scale.most(found), _size(claim)] |
		some found in inventory.beside(input.review.object, "apps", "StatefulSet")
		some claim in found.spec.volumeClaimTemplates
	],
)

_size(claim) := size if {
	size := quantity.amount(claim.spec.resources.requests.storage)
} else := 0

_shown(key, amount) := sprintf("%vMi", [quantity.shown(ceil(amount / 1048576))]) if {
	regex.match(`(memory|storage)$`, key)
} else := sprintf("%v", [quantity.shown(amount)])
