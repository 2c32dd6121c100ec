package lib.pods_test

import data.lib.pods

_asking := {"metadata": {"name": "x", "namespace": "shop"}}

_deployment := {
	"kind": "Deployment",
	"metadata": {"name": "catalog"},
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

_inventory := {"namespace": {"shop": {
	"apps/v1": {"Deployment": {"catalog": _deployment}},
	"monitoring.coreos.com/v1": {
		"Prometheus": {"main": {"metadata": {"name": "main"}, "spec": {"podMetadata": {"labels": {"team": "shop"}}}}},
		"Alertmanager": {"main": {"metadata": {"name": "main"}, "spec": {"podMetadata": null}}},
	},
}}}

_found := found if {
	found := pods.beside(_asking) with data.inventory as _inventory
}

test_workloads_have_their_templates_labels_and_ports if {
	{"labels": {"app": "catalog"}, "ports": [
		{"name": "proxy", "number": 9000, "protocol": "TCP"},
		{"name": "", "number": 53, "protocol": "UDP"},
	]} in _found
}

test_an_operators_pods_have_the_labels_that_it_gives_them if {
	count(_found) == 3
	some prometheus in _found
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

test_selectors_choose_among_all_of_them if {
	selected := pods.selected(_asking, {"matchLabels": {"app.kubernetes.io/name": "alertmanager"}}) with data.inventory as _inventory
	count(selected) == 1
}
