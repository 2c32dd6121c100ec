package lib.api_test

import data.lib.api

_object(version, kind) := {"apiVersion": version, "kind": kind}

test_what_is_gone_is_gone_from_its_release_on if {
	budget := _object("policy/v1beta1", "PodDisruptionBudget")
	every kubernetes in ["1.25", "1.36", "2.0", ""] {
		api.removed(budget, kubernetes) == "policy/v1beta1 is gone since Kubernetes 1.25; use policy/v1"
		not api.deprecated(budget, kubernetes)
	}
	every kubernetes in ["1.21", "1.24"] {
		api.deprecated(budget, kubernetes) == concat("", [
			"policy/v1beta1 is deprecated since Kubernetes 1.21 and gone with 1.25; ",
			"use policy/v1",
		])
		not api.removed(budget, kubernetes)
	}
	not api.deprecated(budget, "1.20")
	not api.deprecated(budget, "1.9")
}

test_what_is_deprecated_need_not_end if {
	endpoints := _object("v1", "Endpoints")
	not api.deprecated(endpoints, "1.32")
	not api.removed(endpoints, "9.9")
	api.deprecated(endpoints, "") == "v1 is deprecated since Kubernetes 1.33; use discovery.k8s.io/v1 (EndpointSlice)"
	api.deprecated(_object("v1", "ComponentStatus"), "1.36") == concat("; ", [
		"v1 is deprecated since Kubernetes 1.19",
		"it has no successor yet: do without",
	])
}

test_other_objects_are_not_judged if {
	every one in [_object("v1", "Pod"), _object("example.org/v1", "Endpoints"), _object(5, null), {}] {
		not api.removed(one, "")
		not api.deprecated(one, "")
	}
}

test_the_table_is_well_formed if {
	every kinds in api.lifecycle {
		every entry in kinds {
			count(entry) == 3
			regex.match(`^1\.[0-9]+$`, entry[0])
			regex.match(`^(1\.[0-9]+)?$`, entry[1])
		}
	}
}
