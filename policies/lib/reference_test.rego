package lib.reference_test

import data.lib.reference

_pod := {"kind": "Pod", "spec": {
	"initContainers": [{"envFrom": [
		{"configMapRef": {"name": "a"}},
		{"secretRef": {"name": "b"}},
		{"configMapRef": {"name": "not needed", "optional": true}},
		null,
	]}],
	"containers": [{"env": [
		{"name": "PLAIN", "value": "x"},
		{"valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}},
		{"valueFrom": {"secretKeyRef": {"name": "d", "key": "k", "optional": false}}},
		{"valueFrom": {"secretKeyRef": {}}},
		{"valueFrom": {"secretKeyRef": null}},
	]}],
	"ephemeralContainers": [{"envFrom": [{"configMapRef": {"name": "e"}}]}],
	"volumes": [
		{"configMap": {"name": "f", "items": [{"key": "one"}, {"key": "two"}]}},
		{"secret": {"secretName": "g"}},
		{"projected": {"sources": [
			{"configMap": {"name": "h"}},
			{"secret": {"name": "i", "items": [{"key": "three"}]}},
			{"secret": {"name": "not needed", "optional": true}},
			{"serviceAccountToken": {"path": "token"}},
		]}},
		{"csi": {"driver": "x", "nodePublishSecretRef": {"name": "j"}}},
		{"azureFile": {"secretName": "k"}},
		null,
	],
	"imagePullSecrets": [{"name": "l"}, null],
}}

test_config_maps_wherever_they_are_named if {
	[[one.name, one.key] | some one in reference.config_maps(_pod)] == [
		["a", ""],
		["e", ""],
		["c", "k"],
		["f", "one"],
		["f", "two"],
		["h", ""],
	]
}

test_secrets_wherever_they_are_named if {
	[[one.name, one.key] | some one in reference.secrets(_pod)] == [
		["b", ""],
		["d", "k"],
		["", ""],
		["g", ""],
		["i", "three"],
		["j", ""],
		["k", ""],
		["l", ""],
	]
}

test_a_path_leads_to_the_name if {
	every one in array.concat(reference.config_maps(_pod), reference.secrets(_pod)) {
		object.get(_pod, one.path, "") == one.name
	}
}

test_in_a_template_the_path_begins_at_the_objects_root if {
	deployment := {"kind": "Deployment", "spec": {"template": {"spec": {"volumes": [{"configMap": {"name": "a"}}]}}}}
	reference.config_maps(deployment)[0].path == ["spec", "template", "spec", "volumes", 0, "configMap", "name"]
}

test_malformed_pods_refer_to_nothing if {
	every spec in [null, {}, {"containers": [null], "volumes": "x", "imagePullSecrets": null}] {
		reference.config_maps({"kind": "Pod", "spec": spec}) == []
		reference.secrets({"kind": "Pod", "spec": spec}) == []
	}
}
