# METADATA
# title: What a pod refers to
# description: >-
#   The ConfigMaps and Secrets that a pod names: in the environment of its containers (init, ordinary, ephemeral), in
#   volumes, projected ones too, and for pulling images.
package lib.reference

import data.lib.workload

# METADATA
# description: The ConfigMaps that the pods of an object need; see `secrets` for the form.
config_maps(resource) := array.concat(
	_in_environment(resource, "configMapRef", "configMapKeyRef"),
	_in_volumes(resource, "configMap", "name"),
)

# METADATA
# description: >-
#   The Secrets that the pods of an object need, each {name, key, path}: the path leads from the object's root to the name.
#   Several keys of one are several references, a reference to the whole has the key "". Optional references are left out:
#   the pod starts without them.
secrets(resource) := array.concat(
	array.concat(
		_in_environment(resource, "secretRef", "secretKeyRef"),
		_in_volumes(resource, "secret", "secretName"),
	),
	array.concat(_in_drivers(resource), _for_images(resource)),
)

_in_environment(resource, whole, part) := array.concat(
	[found |
		some container in workload.containers(resource)
		some index, source in container.spec.envFrom
		reference := source[whole]
		_is_needed(reference)
		found := {
			"name": object.get(reference, "name", ""),
			"key": "",
			"path": _container_path(resource, container, ["envFrom", index, whole, "name"]),
		}
	],
	[found |
		some container in workload.containers(resource)
		some index, variable in container.spec.env
		reference := variable.valueFrom[part]
		_is_needed(reference)
		found := {
			"name": object.get(reference, "name", ""),
			"key": object.get(reference, "key", ""),
			"path": _container_path(resource, container, ["env", index, "valueFrom", part, "name"]),
		}
	],
)

_container_path(resource, container, path) := array.concat(
	workload.spec_paths[resource.kind],
	array.concat([container.list, container.index], path),
)

_in_volumes(resource, field, name) := array.concat(
	[found |
		some index, volume in workload.pod_spec(resource).volumes
		some found in _of_volume(resource, volume[field], name, ["volumes", index, field])
	],
	[found |
		some index, volume in workload.pod_spec(resource).volumes
		some number, source in volume.projected.sources
		path := ["volumes", index, "projected", "sources", number, field]
		some found in _of_volume(resource, source[field], "name", path)
	],
)

_of_volume(resource, source, name, path) := [found |
	_is_needed(source)
	some key in _keys(source)
	found := {
		"name": object.get(source, name, ""),
		"key": key,
		"path": array.concat(workload.spec_paths[resource.kind], array.concat(path, [name])),
	}
]

_keys(source) := keys if {
	keys := [item.key | some item in source.items]
	count(keys) > 0
} else := [""]

# Volumes of drivers whose credentials are a Secret: where its name stands.
_drivers := [
	["azureFile", "secretName"],
	["cephfs", "secretRef", "name"],
	["csi", "nodePublishSecretRef", "name"],
	["flexVolume", "secretRef", "name"],
	["iscsi", "secretRef", "name"],
	["rbd", "secretRef", "name"],
	["scaleIO", "secretRef", "name"],
	["storageos", "secretRef", "name"],
]

_in_drivers(resource) := [found |
	some index, volume in workload.pod_spec(resource).volumes
	is_object(volume)
	some field in _drivers
	name := object.get(volume, field, null)
	name != null
	found := {
		"name": name,
		"key": "",
		"path": array.concat(workload.spec_paths[resource.kind], array.concat(["volumes", index], field)),
	}
]

_for_images(resource) := [found |
	some index, reference in workload.pod_spec(resource).imagePullSecrets
	is_object(reference)
	found := {
		"name": object.get(reference, "name", ""),
		"key": "",
		"path": array.concat(workload.spec_paths[resource.kind], ["imagePullSecrets", index, "name"]),
	}
]

_is_needed(reference) if {
	is_object(reference)
	not reference.optional == true
}
