# METADATA
# title: An Ingress points to an existing Service and port
# description: >-
#   The Ingress itself looks fine, but a missing backend answers every request with 503.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/services-networking/ingress/
#     description: Kubernetes on Ingress
# custom:
#   id: ingress-backend-exists
#   severity: error
#   scope: environment
#   kinds: [{group: networking.k8s.io, kind: Ingress}, {group: extensions, kind: Ingress}]
#   reads: [Service]
#   remedy: Name a Service of the same namespace, and one of its ports by number or name.
package cartwright.rules.ingress_backend_exists

import data.lib.backend
import data.lib.report

violation contains report.at(input.review.object, one.path, text) if {
	some one in backend.of_ingress(input.review.object)
	text := backend.fault(input.review.object, one.name, one.port)
}
