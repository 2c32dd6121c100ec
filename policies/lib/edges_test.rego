package lib.edges_test

import data.lib.edges
import data.lib.netpol

_app(namespace, name) := {"namespace": namespace, "labels": {"app.kubernetes.io/name": name}}

_outside := {"cidr": "0.0.0.0/0", "except": ["169.254.169.254/32"]}

_edges := [
	{"from": _app("shop", "catalog"), "to": _app("data", "postgresql"), "ports": ["TCP/5432"]},
	{"from": _app("shop", "orders"), "to": _app("data", "postgresql"), "ports": ["TCP/5432"]},
	{"from": _app("shop", "orders"), "to": _app("shop", "catalog"), "ports": ["TCP/8080"]},
	{"from": _outside, "to": _app("shop", "gateway"), "ports": ["TCP/8080"]},
	{"from": _web, "to": _app("shop", "gateway"), "ports": ["TCP/8081"]},
	{"from": _app("shop", "orders"), "to": {"cidr": "2001:db8::/32", "except": []}, "ports": ["TCP/587"]},
]

_web := {"namespaceLabels": {"team": "web", "stage": "prod"}, "labels": {"app": "ingress"}}

_named(name) := {"matchLabels": {"app.kubernetes.io/name": name}}

_one_of(names) := {"matchExpressions": [{"key": "app.kubernetes.io/name", "operator": "In", "values": names}]}

_labelled(labels) := {
	"namespaceSelector": {"matchLabels": labels},
	"podSelector": {"matchLabels": {"app": "ingress"}},
}

_namespace(name) := {"matchLabels": {"kubernetes.io/metadata.name": name}}

_policy(namespace, selector, spec) := {
	"metadata": {"name": "x", "namespace": namespace},
	"spec": object.union({"podSelector": selector}, spec),
}

_egress(selector, peer, port) := _policy("shop", selector, {
	"policyTypes": ["Egress"],
	"egress": [{"to": [peer], "ports": [port]}],
})

_ingress(namespace, selector, peer, port) := _policy(namespace, selector, {
	"policyTypes": ["Ingress"],
	"ingress": [{"from": [peer], "ports": [port]}],
})

_postgresql := {"namespaceSelector": _namespace("data"), "podSelector": _named("postgresql")}

_declared(policy) if {
	count(netpol.openings(policy)) == 1
	edges.declares(_edges, policy, netpol.openings(policy)[0])
}

test_declared_edges_in_both_directions if {
	every policy in [
		_egress(_named("catalog"), _postgresql, {"port": 5432}),
		_egress(_one_of(["catalog"]), _postgresql, {"port": 5432, "protocol": "TCP"}),
		_egress(_one_of(["catalog", "orders"]), _postgresql, {"port": 5432}),
		_egress(_named("orders"), {"podSelector": _named("catalog")}, {"port": 8080}),
		_ingress("shop", _named("catalog"), {"podSelector": _named("orders")}, {"port": 8080}),
		_ingress(
			"data", _named("postgresql"),
			{"namespaceSelector": _namespace("shop"), "podSelector": _one_of(["catalog", "orders"])},
			{"port": 5432},
		),
		_ingress("shop", _named("gateway"), _labelled({"team": "web", "stage": "prod"}), {"port": 8081}),
		_ingress("shop", _named("gateway"), _labelled({"team": "web", "stage": "prod", "a": "b"}), {"port": 8081}),
		_egress(_named("orders"), {"ipBlock": {"cidr": "2001:db8:1::/48"}}, {"port": 587}),
		_ingress("shop", _named("gateway"), {"ipBlock": _outside}, {"port": 8080}),
		_ingress("shop", _named("gateway"), {"ipBlock": {"cidr": "10.0.0.0/8"}}, {"port": 8080}),
		_ingress(
			"shop", _named("gateway"),
			{"ipBlock": {"cidr": "169.254.0.0/16", "except": ["169.254.169.0/24"]}},
			{"port": 8080},
		),
	] {
		_declared(policy)
	}
}

test_more_than_what_is_declared_is_not if {
	every policy in [
		# Another port, every port, a range, another protocol, a name.
		_egress(_named("catalog"), _postgresql, {"port": 5433}),
		_egress(_named("catalog"), _postgresql, {}),
		_egress(_named("catalog"), _postgresql, {"port": 5432, "endPort": 5440}),
		_egress(_named("catalog"), _postgresql, {"port": 5432, "protocol": "UDP"}),
		_egress(_named("catalog"), _postgresql, {"port": "postgresql"}),
		# Other pods, more pods, every pod; on either side.
		_egress(_named("gateway"), _postgresql, {"port": 5432}),
		_egress(_one_of(["catalog", "gateway"]), _postgresql, {"port": 5432}),
		_egress({}, _postgresql, {"port": 5432}),
		_egress(_named("catalog"), {"namespaceSelector": _namespace("data")}, {"port": 5432}),
		_egress(_named("catalog"), {"podSelector": _named("postgresql")}, {"port": 5432}),
		_egress(
			_named("catalog"),
			{"namespaceSelector": {}, "podSelector": _named("postgresql")},
			{"port": 5432},
		),
		_egress(
			_named("catalog"),
			{"namespaceSelector": {"matchLabels": {"team": "data"}}, "podSelector": _named("postgresql")},
			{"port": 5432},
		),
		_egress(
			_named("catalog"),
			{
				"namespaceSelector": _namespace("data"),
				"podSelector": {"matchExpressions": [{"key": "app.kubernetes.io/name", "operator": "Exists"}]},
			},
			{"port": 5432},
		),
		# Namespaces by labels: fewer labels are more namespaces, and a name says nothing of labels.
		_ingress("shop", _named("gateway"), _labelled({"team": "web"}), {"port": 8081}),
		_ingress("shop", _named("gateway"), _labelled({"team": "web", "stage": "dev"}), {"port": 8081}),
		_ingress(
			"shop", _named("gateway"),
			{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "ingress"}}},
			{"port": 8081},
		),
		_ingress(
			"shop", _named("gateway"),
			{"namespaceSelector": _namespace("web"), "podSelector": {"matchLabels": {"app": "ingress"}}},
			{"port": 8081},
		),
		_ingress(
			"shop", _named("gateway"),
			{"namespaceSelector": {"matchLabels": {"team": "web", "stage": "prod"}}},
			{"port": 8081},
		),
		# More addresses of IPv6, and those of another family.
		_egress(_named("orders"), {"ipBlock": {"cidr": "2001:db8::/31"}}, {"port": 587}),
		_egress(_named("orders"), {"ipBlock": {"cidr": "32.1.13.0/24"}}, {"port": 587}),
		# The edge the other way round.
		_ingress("shop", _named("orders"), {"podSelector": _named("catalog")}, {"port": 8080}),
		# Addresses: the metadata service, those of another family, what is none.
		_ingress("shop", _named("gateway"), {"ipBlock": {"cidr": "0.0.0.0/0"}}, {"port": 8080}),
		_ingress(
			"shop", _named("gateway"),
			{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.169.254/33"]}},
			{"port": 8080},
		),
		_ingress("shop", _named("gateway"), {"ipBlock": {"cidr": "::/0"}}, {"port": 8080}),
		_ingress("shop", _named("gateway"), {"ipBlock": {"cidr": "everywhere"}}, {"port": 8080}),
		_ingress("shop", _named("gateway"), {"ipBlock": {}}, {"port": 8080}),
		# Malformed peers.
		_egress(_named("catalog"), null, {"port": 5432}),
		_egress(_named("catalog"), {"podSelector": "x"}, {"port": 5432}),
		_ingress("shop", _named("gateway"), {"ipBlock": {"cidr": 5, "except": [5, null]}}, {"port": 8080}),
	] {
		not _declared(policy)
	}
}

test_everybody_is_declared_nowhere if {
	policy := _policy("shop", _named("catalog"), {"policyTypes": ["Ingress"], "ingress": [{}]})
	not _declared(policy)
}

test_peers_as_people_write_them if {
	policy := _policy("shop", {}, {})
	edges.peer_text(policy, "everybody") == "everybody"
	edges.peer_text(policy, null) == "a malformed peer"
	edges.peer_text(policy, {"ipBlock": {"cidr": "10.0.0.0/8"}}) == "10.0.0.0/8"
	edges.peer_text(policy, {"podSelector": {}}) == "pods of shop (all)"
	edges.peer_text(policy, {"namespaceSelector": {}}) == "pods of some namespaces (all)"
	edges.peer_text(policy, _labelled({"team": "web"})) == "pods of namespaces with team=web (app=ingress)"
	edges.peer_text(policy, _postgresql) == "pods of data (app.kubernetes.io/name=postgresql)"
}

test_edges_of_a_namespace_begin_or_end_there if {
	edges.touching(_edges, "data") == [_edges[0], _edges[1]]
	edges.touching(_edges, "shop") == [_edges[0], _edges[1], _edges[2], _edges[5], _edges[2], _edges[3], _edges[4]]
	edges.touching(_edges, "monitoring") == []
}
