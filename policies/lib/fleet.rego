# METADATA
# title: The same objects in other environments
# description: >-
#   Reads `data.fleet`, which only `cartwright check` knows: `order` (names of the environments, first to last),
#   `environments` (by name {inventory, upstreams}) and `facts` (what Git tells, see `cartwright.policy.facts`).
package lib.fleet

import data.lib.budget
import data.lib.inventory
import data.lib.portion
import data.lib.report
import data.lib.scale
import data.lib.workload

# METADATA
# description: The environments that a version runs in before it comes to this one.
upstreams(environment) := object.get(data.fleet.environments, [environment, "upstreams"], [])

# METADATA
# description: >-
#   The object with the same group, kind, namespace and name in each upstream that has one: {environment, object, around},
#   where `around` is what the object sees there of its namespace.
counterparts(resource, environment) := [{"environment": name, "object": found, "around": versions} |
	some name in upstreams(environment)
	versions := _around(data.fleet.environments[name].inventory, resource)
	found := _same(versions, resource)
]

# METADATA
# description: >-
#   What an object sees of its namespace in its own environment: objects by apiVersion, kind and name. It is handed to the
#   functions below instead of `with data.inventory as …`, which takes time for every object that is in there.
around(resource) := _around(data.inventory, resource)

_same(versions, resource) := [found |
	some version, kinds in versions
	_group(version) == _group(resource.apiVersion)
	found := kinds[resource.kind][report.name(resource)]
][0]

_around(others, resource) := others.cluster if {
	inventory.namespace(resource) == ""
} else := others.namespace[resource.metadata.namespace]

_group(version) := split(version, "/")[0] if {
	contains(version, "/")
} else := ""

# METADATA
# description: The HorizontalPodAutoscaler of a workload among the objects around it; undefined where there is none.
autoscaler(versions, resource) := found if {
	found := _named_scalers(versions, report.name(resource))[0]
	scale.targets(found, resource)
} else := [found |
	some version, kinds in versions
	_group(version) == "autoscaling"
	some found in kinds.HorizontalPodAutoscaler
	scale.targets(found, resource)
][0]

_named_scalers(versions, name) := [found |
	some version, kinds in versions
	_group(version) == "autoscaling"
	found := kinds.HorizontalPodAutoscaler[name]
]

# METADATA
# description: The smallest number of pods that a workload is to have among these objects.
least(versions, resource) := number if {
	number := scale.number_or(autoscaler(versions, resource).spec, "minReplicas", 1)
} else := scale.number_or(object.get(resource, "spec", {}), "replicas", 1)

# METADATA
# description: >-
#   The number of a workload's pods that a drain leaves, by the disruption budgets among these objects: none without one,
#   and of several the strictest counts. Where one of the workload's own name selects it, others are not looked for.
kept(versions, resource) := max(_kept_by_own(versions, resource) | {0}) if {
	count(_kept_by_own(versions, resource)) > 0
} else := max({0} | {number |
	some found in versions["policy/v1"].PodDisruptionBudget
	budget.selects(found, resource)
	some number in _kept_by(found, least(versions, resource))
})

_kept_by_own(versions, resource) := {number |
	found := versions["policy/v1"].PodDisruptionBudget[report.name(resource)]
	budget.selects(found, resource)
	some number in _kept_by(found, least(versions, resource))
}

# One value, or none for a budget that states neither.
_kept_by(found, pods) := [number |
	some field in ["minAvailable", "maxUnavailable"]
	stated := portion.of(found.spec[field], pods)
	number := {"minAvailable": stated, "maxUnavailable": pods - stated}[field]
]

# METADATA
# description: >-
#   Containers of an object beside those of the same list and name in each upstream: {own, other, environment}, where
#   `own` is as `lib.workload.containers` lists it and `other` the container itself.
containers(resource, environment) := [{"own": own, "other": other.spec, "environment": found.environment} |
	some found in counterparts(resource, environment)
	some other in workload.containers(found.object)
	some own in workload.containers(resource)
	own.list == other.list
	own.spec.name == other.spec.name
]
