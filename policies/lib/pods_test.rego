package lib.pods_test

import data.lib.pods

_asking := {"metadata": {"name": "x", "namespace": "shop"}}

_deployment := {
	"apiVersion": "apps/v1",
	"kind": "Deployment",
	"metadata": {"name": "catalog", "namespace": "shop"},
	"spec": {"template": {
		"metadata": {"labels": {"app": "catalog"}},
		"spec": {
			"initContainers": [
				{"name": "migrate", "ports": [{"name": "no", "containerPort": 1}]},
				{"name": "proxy", "restartPolicy": "Always", "ports": [{"name": "proxy", "containerPort": 9000}]},
			],
			"containers": [{"name": "catalog", "ports": [{"containerPort": 53, "protocol": "UDP"}, null]}],
		},
	}},
}

_operated(kind, spec) := {
	"apiVersion": "monitoring.coreos.com/v1",
	"kind": kind,
	"metadata": {"name": "main", "namespace": "shop"},
	"spec": spec,
}

_objects := [
	_deployment,
	_operated("Prometheus", {"podMetadata": {"labels": {"team": "shop"}}}),
	_operated("Alertmanager", {"podMetadata": null}),
	_operated("ServiceMonitor", {}),
	{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "data", "labels": {"app": "catalog"}}},
]

_inventory := {"namespace": {
	"shop": {
		"apps/v1": {"Deployment": {"catalog": _deployment}},
		"monitoring.coreos.com/v1": {
			"Prometheus": {"main": _objects[1]},
			"Alertmanager": {"main": _objects[2]},
			"ServiceMonitor": {"main": _objects[3]},
		},
	},
	"data": {"v1": {"Pod": {"p": _objects[4]}}},
}}

_indexed := object.union(_inventory, {"index": {"pods": pods.index(_objects)}})

_selected(wanted, inventory) := found if {
	found := pods.selected(_asking, wanted) with data.inventory as inventory
}

test_workloads_have_their_templates_labels_and_ports if {
	every inventory in [_inventory, _indexed] {
		_selected({"matchLabels": {"app": "catalog"}}, inventory) == [{"labels": {"app": "catalog"}, "ports": [
			{"name": "proxy", "number": 9000, "protocol": "TCP"},
			{"name": "", "number": 53, "protocol": "UDP"},
		]}]
	}
}

test_an_operators_pods_have_the_labels_that_it_gives_them if {
	every inventory in [_inventory, _indexed] {
		[prometheus] := _selected({"matchLabels": {"app.kubernetes.io/name": "prometheus"}}, inventory)
		prometheus.labels == {
			"app.kubernetes.io/name": "prometheus",
			"app.kubernetes.io/instance": "main",
			"app.kubernetes.io/managed-by": "prometheus-operator",
			"prometheus": "main",
			"team": "shop",
		}
		some port in prometheus.ports
		port.name == "web"
	}
}

test_with_an_index_the_same_pods_are_selected if {
	counts := {
		{}: 3,
		{"matchLabels": {"app": "orders"}}: 0,
		{"matchLabels": {"app": "catalog", "tier": "api"}}: 0,
		{"matchExpressions": [{"key": "alertmanager", "operator": "Exists"}]}: 1,
		{"matchLabels": {"team": "shop"}, "matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}: 1,
		"malformed": 0,
	}
	every wanted, expected in counts {
		every inventory in [_inventory, _indexed] {
			count(_selected(wanted, inventory)) == expected
		}
	}
}

test_a_namespace_without_pods_has_none if {
	every inventory in [_inventory, _indexed] {
		found := pods.selected({"metadata": {"name": "x", "namespace": "empty"}}, {}) with data.inventory as inventory
		found == []
	}
}
