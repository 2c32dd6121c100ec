# METADATA
# title: The form of a violation
# description: >-
#   Messages read "Kind/name, container: what is wrong; what to do". `details.path` leads from the object's root to the
#   field, or to where a missing field belongs, so that a finding can name a line.
package lib.report

import data.lib.values

# METADATA
# description: A violation by an object as a whole, or by a field outside its containers.
at(object, path, text) := {
	"msg": sprintf("%s: %s", [_identity(object), text]),
	"details": {"path": path},
}

# METADATA
# description: A violation by a container as `lib.workload.containers` lists it; `path` starts at the container.
in_container(object, container, path, text) := {
	"msg": sprintf("%s, container %v: %s", [_identity(object), container.name, text]),
	"details": {
		"container": container.name,
		"path": array.concat(container.path, path),
	},
}

# METADATA
# description: The name of an object; its generateName where the API server is to make one up.
name(object) := found if {
	found := values.get(object, ["metadata", "name"], "")
	found != ""
} else := values.get(object, ["metadata", "generateName"], "")

_identity(object) := sprintf("%v/%v", [values.get(object, ["kind"], ""), name(object)])
