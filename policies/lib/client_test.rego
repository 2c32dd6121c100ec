package lib.client_test

import data.lib.client

_inventory := {"namespace": {
	"data": {"v1": {"Service": {
		"db": {"metadata": {"name": "db", "namespace": "data"}, "spec": {"selector": {"app": "db"}}},
		"external": {"metadata": {"name": "external", "namespace": "data"}, "spec": {}},
		"none": {"metadata": {"name": "none", "namespace": "data"}, "spec": {"selector": {}}},
		"other": {"metadata": {"name": "other", "namespace": "data"}, "spec": {"selector": {"app": "other"}}},
	}}},
	"shop": {"v1": {"ConfigMap": {
		"first": {"data": {"DATABASE_HOST": "first.data", "DATABASE_POOL_SIZE": "3"}},
		"second": {"data": {"DATABASE_HOST": "second.data", "DATABASE_POOL_OVERFLOW": "2"}},
	}}},
}}

_server := {
	"apiVersion": "apps/v1",
	"kind": "StatefulSet",
	"metadata": {"name": "db", "namespace": "data"},
	"spec": {"template": {"metadata": {"labels": {"app": "db"}}}},
}

_pod := {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "namespace": "shop"}, "spec": {}}

_both := [{"configMapRef": {"name": "first"}}, {"secretRef": {"name": "s"}}, {"configMapRef": {"name": "second"}}]

_container(fields) := {"list": "containers", "index": 0, "spec": fields}

test_the_names_of_a_server_are_those_of_its_services if {
	found := client.hosts(_server) with data.inventory as _inventory
	found == {"db.data", "db.data.svc", "db.data.svc.cluster.local"}
}

test_a_host_without_a_namespace_is_in_that_of_the_pod if {
	stated := _container({"env": [{"name": "DATABASE_HOST", "value": "db"}]})
	client.host(_pod, stated) == "db.shop"
}

test_a_variable_of_its_own_goes_before_config_maps_and_the_last_of_these_before_others if {
	own := _container({"env": [{"name": "DATABASE_HOST", "value": "own.data"}], "envFrom": _both})
	"own.data" == client.host(_pod, own) with data.inventory as _inventory
	reference := {"configMapKeyRef": {"name": "first", "key": "DATABASE_HOST"}}
	by_key := _container({"env": [{"name": "DATABASE_HOST", "valueFrom": reference}], "envFrom": _both})
	"first.data" == client.host(_pod, by_key) with data.inventory as _inventory
	"second.data" == client.host(_pod, _container({"envFrom": _both})) with data.inventory as _inventory
}

test_a_container_that_names_no_server_has_none if {
	not client.host(_pod, _container({})) with data.inventory as _inventory
	not client.host(_pod, _container({"env": [{"name": "OTHER", "value": "x"}]})) with data.inventory as _inventory
}

test_a_pool_is_its_size_and_what_may_overflow if {
	client.pool(_pod, _container({"envFrom": _both}), 10) == 5 with data.inventory as _inventory
	client.pool(_pod, _container({}), 10) == 10 with data.inventory as _inventory
	words := [{"name": "DATABASE_POOL_SIZE", "value": "many"}, {"name": "DATABASE_POOL_OVERFLOW", "value": "1"}]
	client.pool(_pod, _container({"env": words}), 10) == 10
}
