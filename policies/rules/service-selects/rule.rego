# METADATA
# title: A Service selects pods
# description: >-
#   Nothing answers at the address of a Service whose selector matches no pod. This happens when labels are renamed on
#   one side, and shows only when somebody calls.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/services-networking/service/
#     description: Kubernetes on Services
# custom:
#   id: service-selects
#   severity: error
#   scope: environment
#   kinds: [{group: "", kind: Service}]
#   reads: [pod-carrying, Alertmanager.monitoring.coreos.com, Prometheus.monitoring.coreos.com]
#   remedy: Set the Service's selector to labels of the pods that should answer.
package cartwright.rules.service_selects

import data.lib.pods
import data.lib.report

violation contains report.at(input.review.object, ["spec", "selector"], text) if {
	wanted := input.review.object.spec.selector
	not wanted in [null, {}]
	not object.get(input.review.object.spec, "type", "ClusterIP") == "ExternalName"
	count(pods.selected(input.review.object, {"matchLabels": wanted})) == 0
	text := "its selector matches no pod of its namespace; give it labels that the pods have which shall answer"
}
