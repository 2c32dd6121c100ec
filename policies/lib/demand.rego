# METADATA
# title: What a workload asks for
# description: Requests and limits of a pod, and how many pods there are, as the scheduler and a ResourceQuota count them.
package lib.demand

import data.lib.inventory
import data.lib.portion
import data.lib.quantity
import data.lib.scale
import data.lib.workload

# METADATA
# description: >-
#   How much of a resource (`cpu`) one pod of an object has on one side (`requests` or `limits`). Ordinary containers and
#   sidecars run at once; an init container runs beside the sidecars before it. The pod's own resources replace the sum.
#   A container without a request requests its limit; what is still missing comes from `defaults`.
of_pod(resource, side, name, defaults) := amount if {
	amount := quantity.amount(workload.pod_spec(resource).resources[side][name])
} else := total if {
	running := sum([_of(one.spec, side, name, defaults) | some one in workload.long_running(resource)])
	starting := [_while_starting(resource, one, side, name, defaults) |
		some one in workload.containers(resource)
		one.list == "initContainers"
		not workload.is_sidecar(one)
	]
	total := max(array.concat([running], starting)) + _overhead(resource, name)
}

_while_starting(resource, container, side, name, defaults) := own + sidecars if {
	own := _of(container.spec, side, name, defaults)
	sidecars := sum([_of(one.spec, side, name, defaults) |
		some one in workload.containers(resource)
		workload.is_sidecar(one)
		one.index < container.index
	])
}

_of(container, side, name, defaults) := amount if {
	amount := quantity.amount(container.resources[side][name])
} else := amount if {
	side == "requests"
	amount := quantity.amount(container.resources.limits[name])
} else := amount if {
	amount := quantity.amount(defaults[side][name])
} else := 0

# A RuntimeClass's overhead stands in the pod once it was admitted.
_overhead(resource, name) := amount if {
	amount := quantity.amount(workload.pod_spec(resource).overhead[name])
} else := 0

# METADATA
# description: >-
#   What the LimitRanges beside an object fill in for a container that states nothing: {requests, limits}. As the API
#   server does, a limit that is missing is the maximum, a request the default limit, then the minimum.
defaults(resource) := {"requests": object.union_n([minimum, limits, requests]), "limits": limits} if {
	items := container_limits(resource)
	maximum := object.union_n([_entries(item, "max") | some item in items])
	limits := object.union_n(array.concat([maximum], [_entries(item, "default") | some item in items]))
	minimum := object.union_n([_entries(item, "min") | some item in items])
	requests := object.union_n([_entries(item, "defaultRequest") | some item in items])
}

# METADATA
# description: What the LimitRanges beside an object say of containers.
container_limits(resource) := [item |
	some found in inventory.beside(resource, "", "LimitRange")
	some item in found.spec.limits
	item.type == "Container"
]

_entries(item, field) := found if {
	found := item[field]
	is_object(found)
} else := {}

# METADATA
# description: >-
#   The largest number of pods of an object at one time: those of a rollout and those that a Job runs side by side
#   included. A DaemonSet has one for each of `nodes`.
pods_at_once(resource, nodes) := nodes if {
	resource.kind == "DaemonSet"
} else := scale.number_or(object.get(resource, "spec", {}), "parallelism", 1) if {
	resource.kind == "Job"
} else := scale.number_or(object.get(resource, ["spec", "jobTemplate", "spec"], {}), "parallelism", 1) if {
	resource.kind == "CronJob"
} else := 1 if {
	resource.kind == "Pod"
} else := total if {
	resource.kind == "Deployment"
	pods := scale.most(resource)
	total := pods + _surge(resource, pods)
} else := scale.most(resource)

# How many pods a rollout adds for a while.
_surge(resource, _) := 0 if resource.spec.strategy.type == "Recreate"

_surge(resource, pods) := more if {
	not resource.spec.strategy.type == "Recreate"
	more := portion.of(_stated_surge(resource), pods)
}

_stated_surge(resource) := stated if {
	stated := resource.spec.strategy.rollingUpdate.maxSurge
	stated != null
} else := "25%"
