# METADATA
# title: Routes name the hosts that they serve
# description: >-
#   A route for every host, or for every host of a domain, also answers for names that somebody else points at the
#   cluster, and takes requests for other apps.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/services-networking/ingress/
#     description: Kubernetes on Ingress
#   - ref: https://gateway-api.sigs.k8s.io/api-types/httproute/
#     description: Gateway API on HTTPRoute
# custom:
#   id: ingress-wildcard-host
#   severity: error
#   scope: object
#   kinds:
#     - {group: networking.k8s.io, kind: Ingress}
#     - {group: extensions, kind: Ingress}
#     - {group: gateway.networking.k8s.io, kind: HTTPRoute}
#   parameters:
#     hosts:
#       description: Intended wildcard hosts, such as *.shop.example.org.
#       type: array
#       items: {type: string}
#       default: []
#   example: {bad: wildcard, good: host}
#   remedy: >-
#     Write one rule for each host. Add an intended wildcard to the parameter `hosts` in environment.yaml.
package cartwright.rules.ingress_wildcard_host

import data.lib.report

violation contains report.at(input.review.object, ["spec", "rules", index, "host"], text) if {
	input.review.object.kind == "Ingress"
	some index, rule in input.review.object.spec.rules
	not _names_a_host(rule)
	text := "a rule names no host, so it answers for every one; name it"
}

violation contains report.at(input.review.object, ["spec", field], text) if {
	input.review.object.kind == "Ingress"
	some field in ["defaultBackend", "backend"]
	is_object(input.review.object.spec[field])
	text := sprintf("its %s answers for every host that no rule names; write a rule for each host", [field])
}

violation contains report.at(input.review.object, place.path, text) if {
	some place in _hosts
	contains(place.host, "*")
	not place.host in input.parameters.hosts
	text := sprintf("host %s is a wildcard; name the hosts one by one", [place.host])
}

_names_a_host(rule) if {
	is_string(rule.host)
	rule.host != ""
}

_hosts contains {"host": rule.host, "path": ["spec", "rules", index, "host"]} if {
	some index, rule in input.review.object.spec.rules
	_names_a_host(rule)
}

_hosts contains {"host": host, "path": ["spec", "hostnames", index]} if {
	some index, host in input.review.object.spec.hostnames
	is_string(host)
}
