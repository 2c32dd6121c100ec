package lib.inventory_test

import data.lib.inventory
import data.lib.pss

_object(namespace) := {"metadata": {"name": "x", "namespace": namespace}}

_inventory := {
	"namespace": {"shop": {
		"v1": {"ServiceAccount": {"catalog": {"id": "account"}}, "Pod": {"p": {"id": "pod"}}},
		"apps/v1": {"Deployment": {"catalog": {"id": "deployment"}}},
		"autoscaling/v1": {"HorizontalPodAutoscaler": {"a": {"id": "v1"}, "both": {"id": "v1"}}},
		"autoscaling/v2": {"HorizontalPodAutoscaler": {"b": {"id": "v2"}, "both": {"id": "v2"}}},
		"autoscaling.k8s.io/v1": {"HorizontalPodAutoscaler": {"c": {"id": "other group"}}},
		"example.org/v1": {"Deployment": {"catalog": {"id": "no pods"}}},
	}},
	"cluster": {"v1": {
		"Namespace": {
			"shop": {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "baseline"}}},
			"odd": {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "Baseline"}}},
			"bare": {"metadata": {"name": "bare"}},
		},
		"Pod": {"p": {"id": "pod without a namespace"}},
	}},
}

_ids(objects) := {object.id | some object in objects}

test_every_version_of_a_group_counts if {
	found := inventory.beside(_object("shop"), "autoscaling", "HorizontalPodAutoscaler") with data.inventory as _inventory
	_ids(found) == {"v1", "v2"}
}

test_the_core_group_has_no_slash if {
	found := inventory.named_beside(_object("shop"), "", "ServiceAccount", "catalog") with data.inventory as _inventory
	found.id == "account"
}

test_a_cluster_wide_object if {
	found := inventory.cluster_wide("", "Namespace", "shop") with data.inventory as _inventory
	found == _inventory.cluster.v1.Namespace.shop
	not _is_cluster_wide("apps", "Namespace", "shop")
	not _is_cluster_wide("", "Namespace", "other")
}

_is_cluster_wide(group, kind, name) if inventory.cluster_wide(group, kind, name) with data.inventory as _inventory

test_a_name_in_two_versions_is_found_once if {
	found := inventory.named_beside(_object("shop"), "autoscaling", "HorizontalPodAutoscaler", "both") with data.inventory as _inventory
	found.id in {"v1", "v2"}
}

test_other_namespaces_are_not_seen if {
	found := inventory.beside(_object("data"), "autoscaling", "HorizontalPodAutoscaler") with data.inventory as _inventory
	found == []
}

test_pods_are_those_of_the_known_groups if {
	found := inventory.pods_beside(_object("shop")) with data.inventory as _inventory
	_ids(found) == {"pod", "deployment"}
}

test_pods_of_every_namespace_and_of_none if {
	found := inventory.pods with data.inventory as _inventory
	_ids(found) == {"pod", "deployment", "pod without a namespace"}
	none := inventory.pods with data.inventory as {}
	none == []
}

test_without_a_namespace_others_without_one_are_seen if {
	found := inventory.pods_beside({"metadata": {"name": "x"}}) with data.inventory as _inventory
	_ids(found) == {"pod without a namespace"}
}

test_an_empty_inventory_has_nothing if {
	found := inventory.pods_beside(_object("shop")) with data.inventory as {}
	found == []
}

_level(namespace, parameters) := level if {
	level := pss.level(_object(namespace), parameters) with data.inventory as _inventory
}

test_the_namespace_decides_the_level if _level("shop", {}) == "baseline"

test_the_parameter_decides_over_the_namespace if {
	_level("shop", {"level": "privileged"}) == "privileged"
	_level("shop", {"level": ""}) == "baseline"
}

test_without_a_valid_label_it_is_restricted if {
	every namespace in ["bare", "odd", "unknown"] {
		_level(namespace, {}) == "restricted"
	}
}

test_a_level_binds_what_stands_below_it if {
	pss.binds("baseline", _object("x"), {"level": "restricted"})
	pss.binds("baseline", _object("x"), {"level": "baseline"})
	not pss.binds("restricted", _object("x"), {"level": "baseline"})
	not pss.binds("baseline", _object("x"), {"level": "privileged"})
}

test_user_namespaces if {
	pss.has_user_namespace({"hostUsers": false})
	not pss.has_user_namespace({"hostUsers": true})
	not pss.has_user_namespace({})
}
