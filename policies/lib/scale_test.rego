package lib.scale_test

import data.lib.scale

_deployment(name, spec) := {
	"apiVersion": "apps/v1",
	"kind": "Deployment",
	"metadata": {"name": name, "namespace": "shop"},
	"spec": spec,
}

_scaler(target, fields) := {"spec": object.union({"scaleTargetRef": target}, fields)}

_inventory := {"namespace": {"shop": {
	"apps/v1": {"Deployment": {"orders": {"id": "orders"}}},
	"autoscaling/v1": {"HorizontalPodAutoscaler": {"odd": _scaler(null, {})}},
	"autoscaling/v2": {"HorizontalPodAutoscaler": {
		"catalog": _scaler(
			{"apiVersion": "apps/v1", "kind": "Deployment", "name": "catalog"},
			{"minReplicas": 3, "maxReplicas": 9},
		),
		"for-orders": _scaler({"apiVersion": "apps/v1beta1", "kind": "Deployment", "name": "orders"}, {"maxReplicas": "9"}),
		"gateway": _scaler({"apiVersion": null, "kind": "Deployment", "name": "gateway"}, {"maxReplicas": 9}),
	}},
}}}

_counts(resource) := [least, most] if {
	least := scale.least(resource) with data.inventory as _inventory
	most := scale.most(resource) with data.inventory as _inventory
}

test_an_autoscaler_decides_over_replicas if _counts(_deployment("catalog", {"replicas": 20})) == [3, 9]

test_an_autoscaler_of_another_name_and_version_counts if _counts(_deployment("orders", {})) == [1, 1]

test_an_autoscaler_without_a_group_scales_no_deployment if {
	_counts(_deployment("gateway", {"replicas": 2})) == [2, 2]
}

test_replicas_are_one_where_nothing_valid_is_said if {
	every spec in [{}, {"replicas": null}, {"replicas": "3"}] {
		_counts(_deployment("alone", spec)) == [1, 1]
	}
	_counts({"kind": "Deployment", "metadata": {"name": "alone", "namespace": "shop"}}) == [1, 1]
	_counts({"kind": "Deployment", "metadata": {"name": "alone", "namespace": "shop"}, "spec": null}) == [1, 1]
}

test_an_autoscalers_target if {
	scalers := _inventory.namespace.shop["autoscaling/v2"].HorizontalPodAutoscaler
	beside := {"metadata": {"namespace": "shop"}}
	found := scale.target(object.union(scalers["for-orders"], beside)) with data.inventory as _inventory
	found.id == "orders"
	not _has_target(object.union(scalers.catalog, beside))
	not _has_target(beside)
}

_has_target(scaler) if scale.target(scaler) with data.inventory as _inventory
