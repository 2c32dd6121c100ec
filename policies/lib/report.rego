# METADATA
# title: The form of a violation
# description: >-
#   Messages read "Kind/name, container: what is wrong; what to do". `details.path` leads from the object's root to the
#   field, or to where a missing field belongs, so that a finding can name a line.
package lib.report

import data.lib.workload

# METADATA
# description: A violation by an object as a whole, or by a field of it.
at(resource, path, text) := {
	"msg": sprintf("%s: %s", [_identity(resource), text]),
	"details": {"path": path},
}

# METADATA
# description: A violation by a field of the pod's spec; `path` starts there.
in_pod(resource, path, text) := at(resource, array.concat(workload.spec_paths[resource.kind], path), text)

# METADATA
# description: A violation by a container as `lib.workload.containers` lists it; `path` starts at the container.
in_container(resource, container, path, text) := {
	"msg": sprintf("%s, container %s: %s", [_identity(resource), name, text]),
	"details": {
		"container": name,
		"path": array.concat(workload.spec_paths[resource.kind], array.concat([container.list, container.index], path)),
	},
} if {
	name := _container_name(container)
}

# METADATA
# description: The name of an object; its generateName where the API server is to make one up.
name(resource) := found if {
	found := resource.metadata.name
	is_string(found)
	found != ""
} else := found if {
	found := resource.metadata.generateName
	is_string(found)
} else := ""

_identity(resource) := sprintf("%v/%s", [resource.kind, name(resource)])

_container_name(container) := found if {
	found := container.spec.name
	is_string(found)
} else := sprintf("%s[%d]", [container.list, container.index])
