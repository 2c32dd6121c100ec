package lib.budget_test

import data.lib.budget

_budget(name, wanted) := {
	"metadata": {"name": name, "namespace": "shop"},
	"spec": {"selector": {"matchLabels": {"app": wanted}}},
}

_workload(kind, name, label) := {
	"apiVersion": "apps/v1",
	"kind": kind,
	"metadata": {"name": name, "namespace": "shop"},
	"spec": {"template": {"metadata": {"labels": {"app": label}}}},
}

_inventory := {"namespace": {"shop": {
	"policy/v1": {"PodDisruptionBudget": {
		"catalog": _budget("catalog", "catalog"),
		"shared": _budget("shared", "orders"),
		"odd": {"spec": null},
	}},
	"monitoring.coreos.com/v1": {"Prometheus": {"main": {
		"apiVersion": "monitoring.coreos.com/v1",
		"kind": "Prometheus",
		"metadata": {"name": "main", "namespace": "shop"},
		"spec": {},
	}}},
	"apps/v1": {
		"Deployment": {"catalog": _workload("Deployment", "catalog", "catalog")},
		"StatefulSet": {"orders-database": _workload("StatefulSet", "orders-database", "orders")},
	},
}}}

_is_protected(resource) if budget.protects_some(resource) with data.inventory as _inventory

_selects_some(resource) if budget.selects_some(resource) with data.inventory as _inventory

test_a_budget_of_the_same_name if {
	_is_protected(_workload("Deployment", "catalog", "catalog"))
	_selects_some(_budget("catalog", "catalog"))
}

test_a_budget_of_another_name if {
	_is_protected(_workload("Deployment", "orders", "orders"))
	_selects_some(_budget("any", "orders"))
}

test_the_same_name_alone_is_not_enough if {
	not _is_protected(_workload("Deployment", "catalog", "gateway"))
	not _selects_some(_budget("catalog", "gateway"))
	not _selects_some({"metadata": {"name": "catalog", "namespace": "shop"}, "spec": null})
}

test_pods_that_an_operator_makes if {
	_selects_some({
		"metadata": {"name": "prometheus", "namespace": "shop"},
		"spec": {"selector": {"matchLabels": {"app.kubernetes.io/name": "prometheus"}}},
	})
}
