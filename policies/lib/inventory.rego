# METADATA
# title: The other objects
# description: >-
#   Reads `data.inventory` in Gatekeeper's shape: namespace[namespace][apiVersion][kind][name] and
#   cluster[apiVersion][kind][name]. An object without a namespace stands under `cluster`, whatever its kind. Beside them
#   may stand `index`, with what would cost much to find out for each object anew; Gatekeeper has none.
package lib.inventory

import data.lib.workload

# METADATA
# description: The namespace that an object names; empty where it names none.
namespace(resource) := found if {
	found := resource.metadata.namespace
	is_string(found)
} else := ""

# METADATA
# description: >-
#   Objects of one group and kind, at any version, that share the namespace of `object`. Two objects that both
#   leave their namespace out share one: whoever applies them gives them the same.
beside(resource, group, kind) := [found |
	some version, kinds in _around(resource)
	_is_of(version, group)
	some found in kinds[kind]
]

# METADATA
# description: >-
#   The one of these with that name; undefined where there is none. Of one that is there in several versions, which can
#   only be so in files, any.
named_beside(resource, group, kind, name) := [found |
	some version, kinds in _around(resource)
	_is_of(version, group)
	found := kinds[kind][name]
][0]

# METADATA
# description: The cluster-wide object of a group and kind with that name; undefined where there is none.
cluster_wide(group, kind, name) := [found |
	some version, kinds in data.inventory.cluster
	_is_of(version, group)
	found := kinds[kind][name]
][0]

# METADATA
# description: Objects that carry pods and share the namespace of `object`.
pods_beside(resource) := [found | some found in _pods_of(_around(resource))]

# METADATA
# description: Objects that carry pods, of every namespace and of none.
pods := array.concat(
	[found |
		some versions in data.inventory.namespace
		some found in _pods_of(versions)
	],
	_pods_of(object.get(data.inventory, "cluster", {})),
)

# METADATA
# description: True for an object of a kind that carries pods.
carries_pods(resource) if {
	resource.apiVersion in _pod_versions
	workload.spec_paths[resource.kind]
}

# METADATA
# description: What an index over all objects says; undefined where nobody keeps it.
index(name) := data.inventory.index[name]

_pod_versions := ["v1", "apps/v1", "batch/v1"]

_pods_of(versions) := [found |
	some version in _pod_versions
	some kind, _ in workload.spec_paths
	some found in versions[version][kind]
]

# METADATA
# description: The Namespace that an object lives in; undefined where it is not known.
namespace_of(resource) := data.inventory.cluster.v1.Namespace[resource.metadata.namespace]

_around(resource) := data.inventory.cluster if {
	namespace(resource) == ""
} else := data.inventory.namespace[resource.metadata.namespace]

_is_of(version, "") if not contains(version, "/")

_is_of(version, group) if startswith(version, concat("", [group, "/"]))
