# METADATA
# title: The other objects
# description: >-
#   Reads `data.inventory` in Gatekeeper's shape: namespace[namespace][apiVersion][kind][name] and
#   cluster[apiVersion][kind][name]. An object without a namespace stands under `cluster`, whatever its kind.
package lib.inventory

import data.lib.values

# METADATA
# description: The namespace that an object names; empty where it names none.
namespace(object) := values.string_at(object, ["metadata", "namespace"])

# METADATA
# description: >-
#   Objects of one group and kind, at any version, that share the namespace of `object`. Two objects that both
#   leave their namespace out share one: whoever applies them gives them the same.
beside(object, group, kind) := [found |
	some api_version, kinds in _around(object)
	_group(api_version) == group
	some found in kinds[kind]
]

# METADATA
# description: The one of these with that name; undefined where there is none.
named_beside(object, group, kind, name) := found if {
	some api_version, kinds in _around(object)
	_group(api_version) == group
	found := kinds[kind][name]
}

# METADATA
# description: The Namespace that an object lives in; undefined where it is not known.
namespace_of(object) := data.inventory.cluster.v1.Namespace[namespace(object)]

_around(object) := values.object_at(data.inventory, ["cluster"]) if {
	namespace(object) == ""
} else := values.object_at(data.inventory, ["namespace", namespace(object)])

_group(api_version) := split(api_version, "/")[0] if {
	contains(api_version, "/")
} else := ""
