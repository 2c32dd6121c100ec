# METADATA
# title: NetworkPolicies
# description: What a policy selects and opens, as the API server completes what its author left out.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/services-networking/network-policies/
package lib.netpol

import data.lib.inventory
import data.lib.selector
import data.lib.workload

# METADATA
# description: >-
#   The directions (`Ingress`, `Egress`) in which a policy isolates the pods that it selects. Where it names none:
#   ingress, and egress if it has egress rules.
directions(policy) := named if {
	named := {type | some type in policy.spec.policyTypes}
	count(named) > 0
} else := {"Ingress", "Egress"} if {
	some _ in policy.spec.egress
} else := {"Ingress"}

# METADATA
# description: True if the policy selects pods with these labels; a policy without a selector selects every pod.
selects(policy, labels) if selector.matches(pod_selector(policy), labels)

# METADATA
# description: The selector of a policy's pods; empty where it is left out.
pod_selector(policy) := found if {
	found := policy.spec.podSelector
	found != null
} else := {}

# METADATA
# description: The policies that isolate the pods of an object in a direction.
isolating(resource, direction) := [policy |
	some policy in selecting(resource, workload.pod_labels(resource))
	direction in directions(policy)
]

# METADATA
# description: >-
#   The policies beside an object that select pods with these labels. Whoever keeps an index of them saves looking at
#   every policy for every pod.
selecting(resource, labels) := [policy |
	some policy in _candidates(resource, labels)
	selects(policy, labels)
]

# METADATA
# description: The index over objects of any kind.
index(resources) := object.union_n([{inventory.namespace(resource): object.union(
	{"policies": {position: resource}},
	_place(resource, position),
)} |
	some position, resource in resources
	resource.kind == "NetworkPolicy"
	startswith(resource.apiVersion, "networking.k8s.io/")
])

# A policy that asks for a label can only select pods that have it; where it asks for several, the first will do.
_place(policy, position) := {"labels": {label[0]: {label[1]: {position: true}}}} if {
	label := [[key, value] | some key, value in pod_selector(policy).matchLabels][0]
} else := {"others": {position: true}}

_candidates(resource, labels) := [home.policies[position] |
	some position, _ in object.union(
		object.get(home, "others", {}),
		object.union_n([home.labels[key][value] | some key, value in labels]),
	)
] if {
	home := inventory.index("policies")[inventory.namespace(resource)]
} else := [] if {
	inventory.index("policies")
} else := inventory.beside(resource, "networking.k8s.io", "NetworkPolicy")

# METADATA
# description: The field of a policy's spec that holds the rules of a direction, and the one of a rule that holds peers.
fields := {"Ingress": {"rules": "ingress", "peers": "from"}, "Egress": {"rules": "egress", "peers": "to"}}

# METADATA
# description: >-
#   What a policy opens, taken apart: {direction, path, peer, port} for each peer and port of each rule. `everybody` is
#   the peer of a rule that names none, `every port` the port of one that names none, as they are in the API. Rules of a
#   direction in which the policy does not isolate open nothing.
openings(policy) := [opening |
	some direction in directions(policy)
	names := fields[direction]
	some index, rule in policy.spec[names.rules]
	some [peer_path, peer] in _peers(rule, names.peers)
	some [port_path, port] in _ports(rule)
	opening := {
		"direction": direction,
		"path": array.concat(["spec", names.rules, index], _deepest(peer_path, port_path)),
		"peer": peer,
		"port": port,
	}
]

# A rule that names no peer stands for the whole of it; else the peer is the place to look, unless it is the port.
_deepest(peer_path, _) := peer_path if count(peer_path) > 0

_deepest(peer_path, port_path) := port_path if count(peer_path) == 0

_peers(rule, field) := found if {
	found := [[[field, index], peer] | some index, peer in rule[field]]
	count(found) > 0
} else := [[[], "everybody"]]

_ports(rule) := found if {
	found := [[["ports", index], port] | some index, port in rule.ports]
	count(found) > 0
} else := [[[], "every port"]]

# METADATA
# description: A port of a rule as people write it, `TCP/8080`, `UDP/53`, `TCP/8000-8010`, `TCP/http`, `TCP/every port`.
port_text("every port") := "every port"

port_text(port) := sprintf("%v/%v", [protocol(port), _number_text(port)]) if is_object(port)

# METADATA
# description: >-
#   True if a port of a rule lets through all of another one, {protocol, port, endPort}. Where a number is left out, that is
#   every port of the protocol.
includes("every port", _)

includes(port, wanted) if {
	is_object(port)
	is_object(wanted)
	protocol(port) == protocol(wanted)
	_holds(port, wanted)
}

_holds(port, _) if object.get(port, "port", null) == null

_holds(port, wanted) if {
	port.port == wanted.port
	_last(wanted) == wanted.port
}

_holds(port, wanted) if {
	is_number(port.port)
	is_number(wanted.port)
	port.port <= wanted.port
	_last(port) >= _last(wanted)
}

_last(port) := port.endPort if {
	is_number(port.endPort)
} else := port.port

# METADATA
# description: The protocol of a port; TCP where it is left out.
protocol(port) := found if {
	found := port.protocol
	found != null
} else := "TCP"

_number_text(port) := sprintf("%v-%v", [port.port, port.endPort]) if {
	port.endPort != port.port
	port.endPort != null
} else := port.port if {
	port.port != null
} else := "every port"
