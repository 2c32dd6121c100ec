package lib.demand_test

import data.lib.demand

_pod(spec) := {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "namespace": "shop"}, "spec": spec}

_needs(requests, limits) := {"resources": {"requests": requests, "limits": limits}}

_spec := {
	"initContainers": [
		_needs({"cpu": 2}, {"cpu": 2}),
		object.union({"restartPolicy": "Always"}, _needs({"cpu": "250m"}, {"cpu": "500m"})),
		_needs({"cpu": "1"}, {"cpu": 1}),
	],
	"containers": [_needs({"cpu": "500m"}, {"cpu": 1}), _needs({}, {"cpu": "1"}), null],
	"ephemeralContainers": [{}],
}

test_containers_and_sidecars_run_at_once if {
	demand.of_pod(_pod(object.remove(_spec, ["initContainers"])), "requests", "cpu", {}) == 1.5
	demand.of_pod(_pod(object.union(_spec, {"initContainers": [_spec.initContainers[1]]})), "requests", "cpu", {}) == 1.75
}

test_an_init_container_that_needs_more_decides if {
	demand.of_pod(_pod(_spec), "requests", "cpu", {}) == 2
	demand.of_pod(_pod(object.union(_spec, {"containers": []})), "limits", "cpu", {}) == 2
	last := [_spec.initContainers[1], _spec.initContainers[0]]
	demand.of_pod(_pod(object.union(_spec, {"initContainers": last})), "requests", "cpu", {}) == 2.25
}

test_what_is_missing_comes_from_the_defaults if {
	defaults := {"requests": {"memory": "64Mi"}, "limits": {}}
	demand.of_pod(_pod({"containers": [{}, {}]}), "requests", "memory", defaults) == 134217728
	demand.of_pod(_pod({"containers": [{}, {}]}), "limits", "memory", defaults) == 0
}

test_the_pods_own_resources_and_overhead if {
	spec := {"resources": {"requests": {"cpu": 3}}, "overhead": {"cpu": "250m"}}
	demand.of_pod(_pod(object.union(_spec, spec)), "requests", "cpu", {}) == 3
	demand.of_pod(_pod(object.union({"containers": _spec.containers}, {"overhead": {"cpu": "250m"}})), "requests", "cpu", {}) == 1.75
	demand.of_pod(_pod(null), "requests", "cpu", {}) == 0
}

test_limit_ranges_fill_in_as_the_api_server_does if {
	ranges := {"namespace": {"shop": {"v1": {"LimitRange": {
		"odd": {"spec": {"limits": null}},
		"pods": {"spec": {"limits": [{"type": "Pod", "max": {"cpu": 9}}]}},
		"containers": {"spec": {"limits": [{
			"type": "Container",
			"defaultRequest": {"cpu": "50m"},
			"default": {"cpu": "200m", "ephemeral-storage": "1Gi"},
			"max": {"cpu": 2, "memory": "1Gi"},
			"min": {"hugepages-2Mi": "2Mi"},
		}]}},
	}}}}}
	found := demand.defaults(_pod({})) with data.inventory as ranges
	found == {
		"requests": {"cpu": "50m", "memory": "1Gi", "ephemeral-storage": "1Gi", "hugepages-2Mi": "2Mi"},
		"limits": {"cpu": "200m", "memory": "1Gi", "ephemeral-storage": "1Gi"},
	}
}

_at_once(resource) := pods if {
	pods := demand.pods_at_once(resource, 5) with data.inventory as {"namespace": {"shop": {"autoscaling/v2": {"HorizontalPodAutoscaler": {"catalog": {"spec": {
		"maxReplicas": 9,
		"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "catalog"},
	}}}}}}}
}

_deployment(spec) := {
	"apiVersion": "apps/v1",
	"kind": "Deployment",
	"metadata": {"name": "catalog", "namespace": "shop"},
	"spec": spec,
}

test_a_rollout_adds_pods if {
	_at_once(_deployment({})) == 12
	_at_once(_deployment({"strategy": {"rollingUpdate": {"maxSurge": 1}}})) == 10
	_at_once(_deployment({"strategy": {"rollingUpdate": {"maxSurge": "50%"}}})) == 14
	_at_once(_deployment({"strategy": {"rollingUpdate": {"maxSurge": null}}})) == 12
	_at_once(_deployment({"strategy": {"type": "Recreate"}})) == 9
}

test_other_kinds_have_their_own_count if {
	_at_once({"kind": "StatefulSet", "metadata": {"name": "x"}, "spec": {"replicas": 3}}) == 3
	_at_once({"kind": "DaemonSet", "metadata": {"name": "x"}, "spec": {}}) == 5
	_at_once({"kind": "Pod", "metadata": {"name": "x"}, "spec": {}}) == 1
	_at_once({"kind": "Job", "metadata": {"name": "x"}, "spec": {"parallelism": 4}}) == 4
	_at_once({"kind": "Job", "metadata": {"name": "x"}}) == 1
	_at_once({"kind": "CronJob", "metadata": {"name": "x"}, "spec": {"jobTemplate": {"spec": {"parallelism": 2}}}}) == 2
}
