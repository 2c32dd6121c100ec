package lib.pss_test

import data.lib.levels
import data.lib.pss

_pod := {
	"apiVersion": "v1",
	"kind": "Pod",
	"metadata": {"name": "catalog", "namespace": "shop"},
	"spec": {
		"securityContext": {"runAsUser": 1},
		"initContainers": [{"name": "migrate", "securityContext": {"runAsUser": 2}}],
		"containers": [{"name": "catalog", "securityContext": {"runAsUser": null}}, {"name": "exporter"}, null],
		"ephemeralContainers": [{"name": "debug", "securityContext": {"runAsUser": 3}}],
	},
}

_namespaces(labels) := {"cluster": {"v1": {"Namespace": {"shop": {"metadata": {"labels": labels}}}}}}

_enforces(level) := _namespaces({"pod-security.kubernetes.io/enforce": level})

test_the_namespace_label_decides_the_level if {
	every level in ["privileged", "baseline", "restricted"] {
		pss.level(_pod, {"level": ""}) == level with data.inventory as _enforces(level)
	}
}

test_the_parameter_decides_before_the_label if {
	pss.level(_pod, {"level": "baseline"}) == "baseline" with data.inventory as _enforces("restricted")
}

test_a_pod_whose_level_is_not_known_is_held_to_restricted if {
	every inventory in [{}, _namespaces(null), _namespaces({}), _enforces("strict"), _enforces(null)] {
		pss.level(_pod, {}) == "restricted" with data.inventory as inventory
	}
	pss.level(object.remove(_pod, ["metadata"]), {}) == "restricted" with data.inventory as _enforces("baseline")
}

test_a_level_contains_those_below if {
	binding := {level: bound |
		some level in ["privileged", "baseline", "restricted"]
		bound := [control | some control in ["baseline", "restricted"]; pss.binds(control, _pod, {"level": level})]
	}
	binding == {"privileged": [], "baseline": ["baseline"], "restricted": ["baseline", "restricted"]}
}

test_only_false_gives_a_user_namespace if {
	pss.has_user_namespace({"hostUsers": false})
	every value in [true, null, "false", 0, {}] {
		not pss.has_user_namespace({"hostUsers": value})
	}
	not pss.has_user_namespace({})
}

test_settings_are_the_pods_and_each_containers_and_not_null if {
	settings := pss.settings(_pod, "runAsUser")
	[setting.value | some setting in settings] == [1, 2, 3]
	settings[0].container == null
	[settings[1].container.list, settings[2].container.list] == ["initContainers", "ephemeralContainers"]
}

test_there_are_no_settings_where_there_is_no_security_context if {
	every context in [null, "x", [], {}, {"runAsUser": null}] {
		pss.settings({"kind": "Pod", "spec": {"securityContext": context}}, "runAsUser") == []
	}
	pss.settings({"kind": "Pod"}, "runAsUser") == []
}

test_a_setting_is_reported_where_it_stands if {
	paths := [pss.at_setting(_pod, setting, ["runAsUser"], "is bad").details.path |
		some setting in pss.settings(_pod, "runAsUser")
	]
	paths == [
		["spec", "securityContext", "runAsUser"],
		["spec", "initContainers", 0, "securityContext", "runAsUser"],
		["spec", "ephemeralContainers", 0, "securityContext", "runAsUser"],
	]
}

test_what_is_no_list_is_its_own_entry if {
	pss.entries(null) == []
	pss.entries([]) == []
	pss.entries(["a", null]) == ["a", null]
	pss.entries("a") == ["a"]
	pss.entries({"a": "b"}) == [{"a": "b"}]
}

test_profiles_that_confine if {
	pss.confines({"type": "RuntimeDefault"})
	pss.confines({"type": "Localhost"})
	every profile in [{"type": "Unconfined"}, {"type": "runtimedefault"}, {"type": ""}, {"type": null}, {}, null, "x", []] {
		not pss.confines(profile)
	}
	pss.type_of({"type": "Unconfined"}) == "Unconfined"
	pss.type_of({}) == "missing"
	pss.type_of("x") == "missing"
}

test_the_label_of_the_version_belongs_to_that_of_the_level if {
	levels.version_label == concat("-", [levels.enforce_label, "version"])
}
