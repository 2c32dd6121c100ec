# METADATA
# title: Network policies open only declared edges
# description: >-
#   apps/dependencies.yaml declares who talks to whom. A policy that opens more, in either direction, is an edge that no
#   review of the map sees: written by hand, or left over from a removed app.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/services-networking/network-policies/
#     description: Kubernetes on NetworkPolicies
# custom:
#   id: declared-edges
#   severity: error
#   scope: object
#   kinds: [{group: networking.k8s.io, kind: NetworkPolicy}]
#   parameters:
#     edges:
#       description: >-
#         Who may talk to whom. A side is {namespace, labels}, {namespaceLabels, labels} or {cidr, except}; a port is
#         TCP/8080. Derived from apps/dependencies.yaml.
#       type: array
#       items:
#         type: object
#         required: [from, to, ports]
#         properties:
#           from: &side
#             type: object
#             properties:
#               namespace: {type: string}
#               namespaceLabels: {type: object, additionalProperties: {type: string}}
#               labels: {type: object, additionalProperties: {type: string}}
#               cidr: {type: string}
#               except: {type: array, items: {type: string}}
#           to: *side
#           ports: {type: array, items: {type: string, pattern: "^(TCP|UDP|SCTP)/[0-9]+$"}}
#       default: []
#   example: {bad: egress, good: opens-nothing}
#   remedy: >-
#     If the edge is intended, declare it in apps/dependencies.yaml and run `cartwright networkpolicies`. Otherwise
#     remove it.
package cartwright.rules.declared_edges

import data.lib.edges
import data.lib.netpol
import data.lib.report

violation contains report.at(input.review.object, opening.path, text) if {
	some opening in netpol.openings(input.review.object)
	not edges.declares(_near, input.review.object, opening)
	text := sprintf(
		"%s %s on %s is not declared; declare it in apps/dependencies.yaml or remove it",
		[_towards[opening.direction], _peer_text(opening.peer), _port_text(opening.port)],
	)
}

_near := edges.touching(input.parameters.edges, object.get(input.review.object, ["metadata", "namespace"], ""))

_towards := {"Egress": "egress to", "Ingress": "ingress from"}

_peer_text(peer) := edges.peer_text(input.review.object, peer)

default _port_text(_) := "a malformed port"

_port_text(port) := netpol.port_text(port)
