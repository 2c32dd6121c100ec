# METADATA
# title: An Ingress leads to a Service that exists, and to one of its ports
# description: >-
#   A backend that is not there answers every request with 503, and the Ingress itself looks fine.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/services-networking/ingress/
#     description: Kubernetes on Ingress
# custom:
#   id: ingress-backend-exists
#   severity: error
#   scope: environment
#   kinds: [{group: networking.k8s.io, kind: Ingress}, {group: extensions, kind: Ingress}]
#   reads: [Service]
#   remedy: Name a Service of the same namespace, and a port that it has by number or by name.
package cartwright.rules.ingress_backend_exists

import data.lib.backend
import data.lib.report

violation contains report.at(input.review.object, one.path, text) if {
	some one in backend.of_ingress(input.review.object)
	text := backend.fault(input.review.object, one.name, one.port)
}
