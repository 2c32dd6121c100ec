# METADATA
# title: Declared edges
# description: >-
#   Holds what a NetworkPolicy opens against edges that are declared. An edge is {from, to, ports}; a side is
#   {namespace, labels}, {namespaceLabels, labels} or {cidr, except}, a port `TCP/8080`. What is opened counts as declared only if all of it is:
#   each group of pods that a selector may mean, each address, each port.
package lib.edges

import data.lib.netpol

# METADATA
# description: True if the opening of the policy (see `lib.netpol.openings`) is within the declared edges.
declares(edges, policy, opening) if {
	own := own_sides(policy)
	peers := peer_sides(policy, opening.peer)
	port := netpol.port_text(opening.port)
	count(own) > 0
	count(peers) > 0
	every mine in own {
		every other in peers {
			_declared(edges, opening.direction, mine, other, port)
		}
	}
}

# METADATA
# description: >-
#   The edges that begin or end in a namespace. Of very many edges these few are all that its policies can open, so a rule
#   picks them once and holds every opening against them.
touching(edges, namespace) := array.concat(
	[edge |
		some edge in edges
		edge.from.namespace == namespace
	],
	[edge |
		some edge in edges
		edge.to.namespace == namespace
	],
)

_declared(edges, "Egress", mine, other, port) if {
	some edge in edges
	port in edge.ports
	within(mine, edge.from)
	within(other, edge.to)
}

_declared(edges, "Ingress", mine, other, port) if {
	some edge in edges
	port in edge.ports
	within(mine, edge.to)
	within(other, edge.from)
}

# METADATA
# description: A peer as people write it, `shop pods app.kubernetes.io/name=catalog`.
peer_text(_, "everybody") := "everybody"

peer_text(policy, peer) := concat(" and ", [side_text(side) | some side in peer_sides(policy, peer)]) if is_object(peer)

peer_text(_, peer) := "a malformed peer" if {
	not is_object(peer)
	peer != "everybody"
}

# METADATA
# description: One of them as people write it.
side_text(side) := sprintf("%v", [side.cidr])

side_text(side) := sprintf("pods of %s (%s)", [_namespace_text(side), _labels_text(side.labels)])

_namespace_text(side) := side.namespace if {
	side.namespace != ""
} else := sprintf("namespaces with %s", [_labels_text(side.namespaceLabels)]) if {
	side.namespaceLabels
} else := "some namespaces"

_labels_text(labels) := text if {
	pairs := [sprintf("%s=%v", [key, value]) | some key, value in labels]
	count(pairs) > 0
	text := concat(",", sort(pairs))
} else := "all"

# METADATA
# description: The groups of pods that a policy selects, each {namespace, labels}.
own_sides(policy) := [{"namespace": policy.metadata.namespace, "labels": labels} |
	some labels in _groups(netpol.pod_selector(policy))
]

# METADATA
# description: The groups of pods, or the addresses, that a peer of a policy's rule means.
peer_sides(_, peer) := [{"cidr": peer.ipBlock.cidr, "except": _kept(peer.ipBlock)}] if _has_object(peer, "ipBlock")

peer_sides(policy, peer) := [object.union(place, {"labels": labels}) |
	some place in _namespaces(policy, peer)
	some labels in _groups(_given(peer, "podSelector"))
] if {
	is_object(peer)
	not _has_object(peer, "ipBlock")
}

_kept(block) := [address | some address in block.except]

_has_object(peer, field) if is_object(peer[field])

_given(peer, field) := found if {
	found := peer[field]
	is_object(found)
} else := {}

# The name of a namespace is the one label that the API server itself sets. Other labels choose namespaces that nobody can
# name from here: the empty name stands for those, and an edge means them by their labels. Without labels it may be every
# namespace, and no edge means that.
_namespaces(policy, peer) := [{"namespace": policy.metadata.namespace}] if {
	not _has_object(peer, "namespaceSelector")
} else := [object.union({"namespace": object.get(labels, "kubernetes.io/metadata.name", "")}, _unless_empty(labels)) |
	some labels in _groups(peer.namespaceSelector)
]

_unless_empty(labels) := {"namespaceLabels": labels} if {
	count(labels) > 0
} else := {}

# The groups of labels that a selector may mean: `In` with several values means several. Only the first such expression
# is taken apart, others are left out; so a group never says more than the selector does.
_groups(selector) := [object.union(fixed, chosen) |
	fixed := object.union(_match_labels(selector), _single_values(selector))
	some chosen in _choices(selector)
]

_match_labels(selector) := labels if {
	labels := selector.matchLabels
	is_object(labels)
} else := {}

_single_values(selector) := object.union_n([{expression.key: expression.values[0]} |
	some expression in _value_lists(selector)
	count(expression.values) == 1
])

_choices(selector) := [{several[0].key: value} | some value in several[0].values] if {
	several := [expression |
		some expression in _value_lists(selector)
		count(expression.values) > 1
	]
	count(several) > 0
} else := [{}]

_value_lists(selector) := [expression |
	some expression in selector.matchExpressions
	expression.operator == "In"
	is_string(expression.key)
	is_array(expression.values)
]

# METADATA
# description: True if one group of pods, or range of addresses, is part of another.
within(side, declared) if {
	side.namespace == declared.namespace
	every key, value in declared.labels {
		side.labels[key] == value
	}
}

within(side, declared) if {
	every key, value in declared.namespaceLabels {
		side.namespaceLabels[key] == value
	}
	every key, value in declared.labels {
		side.labels[key] == value
	}
}

within(side, declared) if {
	is_range(side.cidr)
	net.cidr_contains(declared.cidr, side.cidr)
	every kept in declared.except {
		keeps_out(side, kept)
	}
}

# METADATA
# description: True for a range of addresses, `10.0.0.0/8`.
is_range(cidr) if {
	is_string(cidr)
	net.cidr_is_valid(cidr)
}

# METADATA
# description: True if addresses, {cidr, except}, leave out a range. Of addresses that are none, nothing is known.
keeps_out(side, kept) if {
	some except in side.except
	is_range(except)
	net.cidr_contains(except, kept)
}

keeps_out(side, kept) if {
	is_range(side.cidr)
	not net.cidr_intersects(side.cidr, kept)
}
