# METADATA
# title: The same objects in other environments
# description: >-
#   Reads `data.fleet`, which only `cartwright check` knows: `order` (names of the environments, first to last),
#   `environments` (by name {inventory, upstreams}) and `facts` (what Git tells, see `cartwright.policy.facts`).
package lib.fleet

import data.lib.inventory
import data.lib.report
import data.lib.workload

# METADATA
# description: The environments that a version runs in before it comes to this one.
upstreams(environment) := object.get(data.fleet.environments, [environment, "upstreams"], [])

# METADATA
# description: >-
#   The object with the same group, kind, namespace and name in each upstream that has one: {environment, object,
#   inventory}, the last for whoever looks further there.
counterparts(resource, environment) := [{"environment": name, "object": found, "inventory": others} |
	some name in upstreams(environment)
	others := data.fleet.environments[name].inventory
	found := _same(others, resource)
]

_same(others, resource) := [found |
	some version, kinds in _around(others, resource)
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
