# METADATA
# title: A workload selects its own pods
# description: >-
#   The API server refuses a workload whose selector does not match the labels of its own template. The selector can't
#   be changed later, so get it right from the start.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#selector
#     description: Kubernetes on the selector of a Deployment
# custom:
#   id: selector-matches-template
#   severity: error
#   scope: object
#   kinds:
#     - {group: "", kind: ReplicationController}
#     - {group: apps, kind: DaemonSet}
#     - {group: apps, kind: Deployment}
#     - {group: apps, kind: ReplicaSet}
#     - {group: apps, kind: StatefulSet}
#   remedy: Give the template the labels of spec.selector. The selector must not be empty.
package cartwright.rules.selector_matches_template

import data.lib.report
import data.lib.selector
import data.lib.workload

violation contains report.at(input.review.object, ["spec", "selector"], text) if {
	not _selects_own_pods
	text := "its selector does not match the labels of its own template; make them agree"
}

violation contains report.at(input.review.object, ["spec", "selector"], text) if {
	_selects_own_pods
	_selects_everything(input.review.object.spec.selector)
	text := "its selector is empty, so it would take every pod of its namespace for its own; name a label"
}

_labels := workload.pod_labels(input.review.object)

_selects_own_pods if {
	input.review.object.kind != "ReplicationController"
	selector.matches(input.review.object.spec.selector, _labels)
}

# A ReplicationController has plain labels, and its template's where it says nothing.
_selects_own_pods if {
	input.review.object.kind == "ReplicationController"
	selector.matches({"matchLabels": object.get(input.review.object, ["spec", "selector"], null)}, _labels)
}

_selects_everything(wanted) if {
	input.review.object.kind != "ReplicationController"
	not _names_something(wanted)
}

_names_something(wanted) if {
	some field in ["matchLabels", "matchExpressions"]
	some _ in wanted[field]
}
