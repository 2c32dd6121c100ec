# METADATA
# title: Every host of an Ingress is served over TLS
# description: >-
#   A host without an entry under tls is served in plain text, including passwords and session cookies. If its
#   certificate is missing, users see a warning and click it away.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/services-networking/ingress/
#     description: Kubernetes on Ingress
# custom:
#   id: ingress-tls
#   severity: error
#   scope: object
#   kinds: [{group: networking.k8s.io, kind: Ingress}, {group: extensions, kind: Ingress}]
#   remedy: Add an entry under spec.tls with the host and the secretName of its certificate.
package cartwright.rules.ingress_tls

import data.lib.report

violation contains report.at(input.review.object, ["spec", "tls"], text) if {
	count(_entries) == 0
	text := "has no tls: requests travel in plain text; add an entry with its hosts and a secretName"
}

violation contains report.at(input.review.object, ["spec", "rules", index, "host"], text) if {
	count(_entries) > 0
	some index, rule in input.review.object.spec.rules
	is_object(rule)
	host := object.get(rule, "host", "")
	not _is_covered(host)
	text := sprintf("host %v is in no entry under tls, so it is served in plain text; add it", [_shown(host)])
}

violation contains report.at(input.review.object, ["spec", "tls", index, "secretName"], text) if {
	some index, entry in input.review.object.spec.tls
	not _has_certificate(entry)
	text := "an entry under tls has no secretName, and so no certificate of its own; name the Secret that holds it"
}

_entries := [entry | some entry in input.review.object.spec.tls]

_has_certificate(entry) if {
	is_string(entry.secretName)
	entry.secretName != ""
}

_hosts(entry) := [host |
	some host in entry.hosts
	is_string(host)
]

# An entry without hosts is for all of them.
_is_covered(_) if {
	some entry in _entries
	is_object(entry)
	count(_hosts(entry)) == 0
}

_is_covered(host) if {
	some entry in _entries
	host in _hosts(entry)
}

# A wildcard covers one label, never more.
_is_covered(host) if {
	some entry in _entries
	some covered in _hosts(entry)
	startswith(covered, "*.")
	is_string(host)
	[_, parent] := _split_once(host)
	parent == substring(covered, 2, -1)
}

_split_once(host) := [substring(host, 0, dot), substring(host, dot + 1, -1)] if {
	dot := indexof(host, ".")
	dot > 0
}

_shown("") := "(any)"

_shown(host) := host if host != ""
