# METADATA
# title: Pods and their containers, wherever they stand
# description: The only place that knows which kinds carry pods, and where.
package lib.workload

import data.lib.values

# METADATA
# description: The path from an object to its pod (metadata and spec), by API group and kind.
pod_paths := {
	"": {
		"Pod": [],
		"ReplicationController": ["spec", "template"],
	},
	"apps": {
		"DaemonSet": ["spec", "template"],
		"Deployment": ["spec", "template"],
		"ReplicaSet": ["spec", "template"],
		"StatefulSet": ["spec", "template"],
	},
	"batch": {
		"CronJob": ["spec", "jobTemplate", "spec", "template"],
		"Job": ["spec", "template"],
	},
}

# METADATA
# description: The API group of an object; empty for the core group.
group(object) := parts[0] if {
	parts := split(values.string_at(object, ["apiVersion"]), "/")
	count(parts) == 2
} else := ""

# METADATA
# description: The path to the pod that an object carries; undefined for an object that carries none.
pod_path(object) := pod_paths[group(object)][values.string_at(object, ["kind"])]

# METADATA
# description: The path to the pod's spec; undefined for an object that carries no pod.
spec_path(object) := array.concat(pod_path(object), ["spec"])

# METADATA
# description: The pod's spec, empty where it is missing; undefined for an object that carries no pod.
pod_spec(object) := values.object_at(object, spec_path(object))

# METADATA
# description: The pod's labels, empty where there are none; undefined for an object that carries no pod.
pod_labels(object) := values.object_at(object, array.concat(pod_path(object), ["metadata", "labels"]))

# METADATA
# description: >-
#   All containers of an object in the order of the API: init (sidecars among them), ordinary, ephemeral. Each is
#   {list, name, path, spec}: the list it stands in, its name, the path to it from the object's root, and itself.
containers(object) := [container |
	path := spec_path(object)
	spec := values.object_at(object, path)
	some list in ["initContainers", "containers", "ephemeralContainers"]
	some index, item in values.array_at(spec, [list])
	container := {
		"list": list,
		"name": values.get(item, ["name"], sprintf("%s[%d]", [list, index])),
		"path": array.concat(path, [list, index]),
		"spec": values.as_object(item),
	}
]

# METADATA
# description: >-
#   Containers that run as long as the pod does: the ordinary ones, and the sidecars among the init containers.
long_running(object) := [container |
	some container in containers(object)
	_runs_on(container)
]

_runs_on(container) if container.list == "containers"

_runs_on(container) if is_sidecar(container)

# METADATA
# description: True for an init container that keeps running beside the ordinary ones.
is_sidecar(container) if {
	container.list == "initContainers"
	container.spec.restartPolicy == "Always"
}

# METADATA
# description: True for a pod that declares Windows as its operating system.
is_windows(object) if pod_spec(object).os.name == "windows"
