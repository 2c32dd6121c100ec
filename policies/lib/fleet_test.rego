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

_scaler(name, target, least) := {
	"apiVersion": "autoscaling/v2",
	"kind": "HorizontalPodAutoscaler",
	"metadata": {"name": name, "namespace": "shop"},
	"spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target}, "minReplicas": least},
}

_budget(name, app, spec) := {
	"metadata": {"name": name, "namespace": "shop"},
	"spec": object.union({"selector": {"matchLabels": {"app": app}}}, spec),
}

_workload(replicas) := {
	"apiVersion": "apps/v1",
	"kind": "Deployment",
	"metadata": {"name": "catalog", "namespace": "shop"},
	"spec": {"replicas": replicas, "template": {"metadata": {"labels": {"app": "catalog"}}}},
}

test_around_is_the_objects_own_namespace if {
	fleet.around(_workload(1)) == {"v1": {}} with data.inventory as {"namespace": {"shop": {"v1": {}}, "data": {}}}
	fleet.around(_namespace) == {"v1": {}} with data.inventory as {"cluster": {"v1": {}}, "namespace": {}}
}

test_the_fewest_pods_are_the_autoscalers if {
	own := {"autoscaling/v2": {"HorizontalPodAutoscaler": {"catalog": _scaler("catalog", "catalog", 3)}}}
	other := {"autoscaling/v1": {"HorizontalPodAutoscaler": {"x": _scaler("x", "catalog", 4)}}}
	fleet.least(own, _workload(1)) == 3
	fleet.least(other, _workload(1)) == 4
	fleet.least({}, _workload(2)) == 2
	fleet.least({}, {"metadata": {"name": "x"}}) == 1
}

test_an_autoscaler_of_another_workload_is_none if {
	versions := {"autoscaling/v2": {"HorizontalPodAutoscaler": {"catalog": _scaler("catalog", "orders", 3)}}}
	fleet.least(versions, _workload(1)) == 1
	not fleet.autoscaler(versions, _workload(1))
}

test_a_drain_leaves_what_the_strictest_budget_says if {
	one := {"policy/v1": {"PodDisruptionBudget": {"catalog": _budget("catalog", "catalog", {"maxUnavailable": 1})}}}
	fleet.kept(one, _workload(3)) == 2
	two := {"policy/v1": {"PodDisruptionBudget": {
		"a": _budget("a", "catalog", {"maxUnavailable": 2}),
		"b": _budget("b", "catalog", {"minAvailable": "50%"}),
		"c": _budget("c", "orders", {"maxUnavailable": 0}),
	}}}
	fleet.kept(two, _workload(3)) == 2
	fleet.kept({}, _workload(3)) == 0
}
