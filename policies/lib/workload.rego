# METADATA
# title: Pods and their containers, wherever they stand
# description: The only place that knows which kinds carry pods, and where.
package lib.workload

# METADATA
# description: The path from an object of each pod-carrying kind to its pod's spec.
spec_paths := {
	"CronJob": ["spec", "jobTemplate", "spec", "template", "spec"],
	"DaemonSet": ["spec", "template", "spec"],
	"Deployment": ["spec", "template", "spec"],
	"Job": ["spec", "template", "spec"],
	"Pod": ["spec"],
	"ReplicaSet": ["spec", "template", "spec"],
	"ReplicationController": ["spec", "template", "spec"],
	"StatefulSet": ["spec", "template", "spec"],
}

_label_paths := {
	"CronJob": ["spec", "jobTemplate", "spec", "template", "metadata", "labels"],
	"DaemonSet": ["spec", "template", "metadata", "labels"],
	"Deployment": ["spec", "template", "metadata", "labels"],
	"Job": ["spec", "template", "metadata", "labels"],
	"Pod": ["metadata", "labels"],
	"ReplicaSet": ["spec", "template", "metadata", "labels"],
	"ReplicationController": ["spec", "template", "metadata", "labels"],
	"StatefulSet": ["spec", "template", "metadata", "labels"],
}

# METADATA
# description: The pod's spec, empty where there is none.
pod_spec(resource) := spec if {
	spec := object.get(resource, spec_paths[resource.kind], {})
	is_object(spec)
} else := {}

# METADATA
# description: The pod's labels, empty where there are none.
pod_labels(resource) := labels if {
	labels := object.get(resource, _label_paths[resource.kind], {})
	is_object(labels)
} else := {}

# METADATA
# description: The path from an object to its pod's annotations.
annotations_path(resource) := array.concat(array.slice(path, 0, count(path) - 1), ["metadata", "annotations"]) if {
	path := spec_paths[resource.kind]
}

# METADATA
# description: The pod's annotations, empty where there are none.
pod_annotations(resource) := annotations if {
	annotations := object.get(resource, annotations_path(resource), {})
	is_object(annotations)
} else := {}

# METADATA
# description: >-
#   All containers of an object in the order of the API: init (sidecars among them), ordinary, ephemeral. Each is
#   {list, index, spec}: the list it stands in, its place there, and itself, an empty object where it is none.
containers(resource) := [{"list": list, "index": index, "spec": _as_object(item)} |
	spec := pod_spec(resource)
	some list in ["initContainers", "containers", "ephemeralContainers"]
	some index, item in spec[list]
]

# METADATA
# description: >-
#   Containers that run as long as the pod does: the ordinary ones, and the sidecars among the init containers.
long_running(resource) := [container |
	some container in containers(resource)
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
is_windows(resource) if pod_spec(resource).os.name == "windows"

# METADATA
# description: >-
#   The images that a pod mounts as volumes: [path from the pod's spec, name of the volume, reference].
image_volumes(resource) := [[["volumes", index, "image", "reference"], object.get(volume, "name", index), reference] |
	some index, volume in pod_spec(resource).volumes
	is_object(volume.image)
	reference := object.get(volume.image, "reference", "")
]

_as_object(item) := item if {
	is_object(item)
} else := {}
