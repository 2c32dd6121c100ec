package lib.workload_test

import data.lib.report
import data.lib.workload

_spec := {
	"initContainers": [{"name": "migrate"}, {"name": "proxy", "restartPolicy": "Always"}],
	"containers": [{"name": "app"}, null],
	"ephemeralContainers": [{"name": "debug"}],
}

_wrapped(kind) := json.patch(
	{"kind": kind, "metadata": {"name": "catalog"}},
	array.concat(
		[{"op": "add", "path": array.slice(path, 0, size), "value": {}} |
			path := workload.spec_paths[kind]
			some size in numbers.range(1, count(path))
		],
		[{"op": "add", "path": workload.spec_paths[kind], "value": _spec}],
	),
)

test_all_containers_of_every_kind_in_order if {
	every kind, _ in workload.spec_paths {
		[[container.list, container.index] | some container in workload.containers(_wrapped(kind))] == [
			["initContainers", 0],
			["initContainers", 1],
			["containers", 0],
			["containers", 1],
			["ephemeralContainers", 0],
		]
	}
}

test_sidecars_run_on_and_init_containers_end if {
	names := [[container.list, container.index] | some container in workload.long_running(_wrapped("Deployment"))]
	names == [["initContainers", 1], ["containers", 0], ["containers", 1]]
}

test_a_container_that_is_none_is_an_empty_one if {
	workload.containers(_wrapped("Pod"))[3] == {"list": "containers", "index": 1, "spec": {}}
}

test_malformed_pods_have_no_containers if {
	every spec in [null, "x", 5, [], {}, {"containers": null}, {"containers": "x"}] {
		workload.containers({"kind": "Pod", "spec": spec}) == []
		workload.pod_labels({"kind": "Pod", "metadata": spec}) == {}
	}
	workload.containers({"kind": "Pod"}) == []
	workload.containers({"kind": "ConfigMap"}) == []
}

test_labels_are_the_templates if {
	template := {"metadata": {"labels": {"app": "catalog"}}}
	workload.pod_labels({"kind": "Deployment", "spec": {"template": template}}) == {"app": "catalog"}
	workload.pod_labels({"kind": "Pod", "metadata": {"labels": {"app": "catalog"}}}) == {"app": "catalog"}
}

test_annotations_are_the_templates if {
	template := {"metadata": {"annotations": {"a": "b"}}}
	cronjob := {"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": template}}}}
	workload.pod_annotations(cronjob) == {"a": "b"}
	workload.pod_annotations({"kind": "Pod", "metadata": {"annotations": {"a": "b"}}}) == {"a": "b"}
	workload.annotations_path({"kind": "Pod"}) == ["metadata", "annotations"]
	every nothing in [{}, {"metadata": null}, {"metadata": {"annotations": null}}, {"metadata": {"annotations": "a"}}] {
		workload.pod_annotations(object.union({"kind": "Pod"}, nothing)) == {}
	}
	workload.pod_annotations({"kind": "ConfigMap"}) == {}
}

test_windows_says_so if {
	workload.is_windows({"kind": "Pod", "spec": {"os": {"name": "windows"}}})
	not workload.is_windows({"kind": "Pod", "spec": {"os": {"name": "linux"}}})
	not workload.is_windows({"kind": "Pod"})
}

test_a_violation_leads_to_the_field if {
	pod := _wrapped("CronJob")
	violation := report.in_container(pod, workload.containers(pod)[3], ["image"], "is bad")
	violation.msg == "CronJob/catalog, container containers[1]: is bad"
	violation.details.path == [
		"spec", "jobTemplate", "spec", "template", "spec",
		"containers", 1, "image",
	]
	report.in_pod(pod, ["hostPID"], "is bad").details.path == [
		"spec", "jobTemplate", "spec", "template", "spec",
		"hostPID",
	]
}

test_names if {
	report.name({"metadata": {"name": "a"}}) == "a"
	report.name({"metadata": {"name": "", "generateName": "a-"}}) == "a-"
	report.name({"metadata": {"name": 5}}) == ""
	report.name({}) == ""
}

test_a_container_is_called_by_its_name_where_it_has_one if {
	pod := _wrapped("Pod")
	report.in_container(pod, workload.containers(pod)[0], [], "is bad").msg == "Pod/catalog, container migrate: is bad"
}

test_images_that_are_volumes if {
	volumes := [{"name": "tmp"}, {"name": "models", "image": {"reference": "models:1"}}, {"image": {}}, {"image": null}, null]
	workload.image_volumes({"kind": "Pod", "spec": {"volumes": volumes}}) == [
		[["volumes", 1, "image", "reference"], "models", "models:1"],
		[["volumes", 2, "image", "reference"], 2, ""],
	]
	workload.image_volumes({"kind": "Pod", "spec": null}) == []
}
