# METADATA
# title: A NetworkPolicy selects pods
# description: >-
#   A policy whose selector matches no pod protects nothing and opens nothing. If labels are renamed on one side, the
#   app is cut off or wide open.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/services-networking/network-policies/
#     description: Kubernetes on NetworkPolicies
# custom:
#   id: network-policy-selects
#   severity: error
#   scope: environment
#   kinds: [{group: networking.k8s.io, kind: NetworkPolicy}]
#   reads: [pod-carrying, Alertmanager.monitoring.coreos.com, Prometheus.monitoring.coreos.com]
#   remedy: Select the pods by labels of their template, or remove the policy together with its app.
package cartwright.rules.network_policy_selects

import data.lib.netpol
import data.lib.pods
import data.lib.report

violation contains report.at(input.review.object, ["spec", "podSelector"], text) if {
	selector := netpol.pod_selector(input.review.object)
	selector != {}
	count(pods.selected(input.review.object, selector)) == 0
	text := "its podSelector matches no pod of its namespace; give it labels that a pod template has"
}
