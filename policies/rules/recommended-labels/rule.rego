# METADATA
# title: Workloads have the recommended labels
# description: >-
#   Dashboards, network policies, cost reports and people find pods by the common labels. They miss a pod without them.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/
#     description: Kubernetes on recommended labels
# custom:
#   id: recommended-labels
#   severity: warning
#   scope: object
#   kinds: pod-carrying
#   parameters:
#     labels:
#       description: Labels that the object and its pods must have, with any value.
#       type: array
#       items: {type: string}
#       default: [app.kubernetes.io/name]
#   remedy: >-
#     Add the labels to the object and to its pod template.
package cartwright.rules.recommended_labels

import data.lib.report
import data.lib.workload

violation contains report.at(input.review.object, ["metadata", "labels", label], text) if {
	some label in input.parameters.labels
	not _has(object.get(input.review.object, ["metadata", "labels"], {}), label)
	text := sprintf("lacks the label %s; add it", [label])
}

violation contains report.in_pod(input.review.object, [], text) if {
	input.review.object.kind != "Pod"
	labels := workload.pod_labels(input.review.object)
	some label in input.parameters.labels
	not _has(labels, label)
	text := sprintf("its pods lack the label %s; add it to the template", [label])
}

_has(labels, label) if {
	is_string(labels[label])
	labels[label] != ""
}
