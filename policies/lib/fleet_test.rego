package lib.fleet_test

import data.lib.fleet

_deployment(version, containers) := {
	"apiVersion": version,
	"kind": "Deployment",
	"metadata": {"name": "catalog", "namespace": "shop"},
	"spec": {"template": {"spec": {"containers": containers}}},
}

_namespace := {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}

_staging := {
	"cluster": {"v1": {"Namespace": {"shop": _namespace}}},
	"namespace": {"shop": {
		"example.org/v1": {"Deployment": {"catalog": {"id": "another group"}}},
		"apps/v1beta2": {"Deployment": {"catalog": _deployment("apps/v1beta2", [{"name": "a", "image": "x"}, {"name": "b"}])}},
	}},
}

_fleet := {
	"order": ["dev", "staging", "prod"],
	"environments": {
		"dev": {"inventory": {"cluster": {}, "namespace": {}}, "upstreams": []},
		"staging": {"inventory": _staging, "upstreams": ["dev"]},
		"prod": {"inventory": {}, "upstreams": ["dev", "staging"]},
	},
}

test_the_first_environment_has_no_upstream if {
	fleet.upstreams("dev") == [] with data.fleet as _fleet
	fleet.upstreams("unknown") == [] with data.fleet as _fleet
}

test_the_counterpart_has_the_same_group_and_name_at_any_version if {
	found := fleet.counterparts(_deployment("apps/v1", []), "prod") with data.fleet as _fleet
	[[one.environment, one.object.apiVersion] | some one in found] == [["staging", "apps/v1beta2"]]
}

test_an_object_without_a_namespace_has_one_too if {
	found := fleet.counterparts(_namespace, "prod") with data.fleet as _fleet
	[one.object | some one in found] == [_namespace]
}

test_an_object_that_no_upstream_has_is_compared_with_nothing if {
	other := object.union(_deployment("apps/v1", []), {"metadata": {"name": "orders"}})
	fleet.counterparts(other, "prod") == [] with data.fleet as _fleet
	fleet.counterparts(other, "dev") == [] with data.fleet as _fleet
}

test_containers_meet_by_list_and_name if {
	own := _deployment("apps/v1", [{"name": "c"}, {"name": "a", "image": "y"}])
	found := fleet.containers(own, "prod") with data.fleet as _fleet
	[[one.own.index, one.own.spec.image, one.other.image, one.environment] | some one in found] == [[1, "y", "x", "staging"]]
}
