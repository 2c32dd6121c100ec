package lib.netpol_test

import data.lib.netpol

_policy(spec) := {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "catalog", "namespace": "shop"}, "spec": spec}

test_directions_as_the_api_server_completes_them if {
	netpol.directions(_policy({})) == {"Ingress"}
	netpol.directions(_policy({"ingress": [{}]})) == {"Ingress"}
	netpol.directions(_policy({"egress": []})) == {"Ingress"}
	netpol.directions(_policy({"egress": [{}]})) == {"Ingress", "Egress"}
	netpol.directions(_policy({"policyTypes": ["Egress"], "ingress": [{}]})) == {"Egress"}
	netpol.directions(_policy({"policyTypes": null, "egress": null})) == {"Ingress"}
	netpol.directions(_policy(null)) == {"Ingress"}
}

test_a_policy_without_a_selector_selects_every_pod if {
	netpol.selects(_policy({}), {"a": "b"})
	netpol.selects(_policy({"podSelector": null}), {"a": "b"})
	netpol.selects(_policy({"podSelector": {}}), {})
	not netpol.selects(_policy({"podSelector": {"matchLabels": {"a": "c"}}}), {"a": "b"})
	not netpol.selects(_policy({"podSelector": "x"}), {"a": "b"})
}

_policies := {
	"a": _policy({"id": "both", "policyTypes": ["Ingress", "Egress"]}),
	"b": _policy({"id": "out", "policyTypes": ["Egress"], "podSelector": {"matchLabels": {"app": "catalog"}}}),
	"c": _policy({"id": "other", "podSelector": {"matchLabels": {"app": "orders"}}}),
	"d": _policy({"id": "more", "podSelector": {"matchLabels": {"app": "catalog", "tier": "api"}}}),
	"e": _policy({"id": "exists", "podSelector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]}}),
}

_inventory := {"namespace": {"shop": {"networking.k8s.io/v1": {"NetworkPolicy": _policies}}}}

_indexed := object.union(_inventory, {"index": {"policies": netpol.index([policy | some policy in _policies])}})

_isolating(namespace, direction, inventory) := names if {
	pod := {"kind": "Pod", "metadata": {"name": "p", "namespace": namespace, "labels": {"app": "catalog"}}}
	found := netpol.isolating(pod, direction) with data.inventory as inventory
	names := {policy.spec.id | some policy in found}
}

test_isolating_policies_select_the_pod_and_have_the_direction if {
	every inventory in [_inventory, _indexed] {
		_isolating("shop", "Ingress", inventory) == {"both", "exists"}
		_isolating("shop", "Egress", inventory) == {"both", "out"}
		_isolating("data", "Egress", inventory) == set()
	}
}

test_openings_are_taken_apart if {
	policy := _policy({
		"policyTypes": ["Ingress"],
		"ingress": [{"from": [{"podSelector": {}}], "ports": [{"port": 80}, {"port": 81}]}],
		"egress": [{}],
	})
	[[one.direction, one.path, one.port.port] | some one in netpol.openings(policy)] == [
		["Ingress", ["spec", "ingress", 0, "from", 0], 80],
		["Ingress", ["spec", "ingress", 0, "from", 0], 81],
	]
}

test_a_rule_that_names_nothing_opens_everything if {
	every rule in [{}, {"to": null, "ports": null}, {"to": [], "ports": []}] {
		netpol.openings(_policy({"policyTypes": ["Egress"], "egress": [rule]})) == [{
			"direction": "Egress",
			"path": ["spec", "egress", 0],
			"peer": "everybody",
			"port": "every port",
		}]
	}
}

test_where_no_peer_is_named_the_port_is_the_place if {
	policy := _policy({"policyTypes": ["Egress"], "egress": [{"ports": [{"port": 53}]}]})
	netpol.openings(policy)[0].path == ["spec", "egress", 0, "ports", 0]
}

test_a_port_includes_another if {
	every pair in [
		["every port", {"port": 80}],
		["every port", "every port"],
		[{"protocol": "TCP"}, {"port": 80}],
		[{"port": 80}, {"port": 80, "protocol": "TCP"}],
		[{"port": "http"}, {"port": "http"}],
		[{"port": 80, "endPort": 90}, {"port": 85}],
		[{"port": 80, "endPort": 90}, {"port": 80, "endPort": 90}],
	] {
		netpol.includes(pair[0], pair[1])
	}
	every pair in [
		[{"port": 80}, "every port"],
		[{"protocol": "UDP"}, {"port": 80}],
		[{"port": 80}, {"port": 81}],
		[{"port": 80}, {"port": 80, "endPort": 90}],
		[{"port": "http"}, {"port": 80}],
		[{"port": 80, "endPort": 90}, {"port": 85, "endPort": 95}],
		[{"port": 80}, {}],
		[null, {"port": 80}],
	] {
		not netpol.includes(pair[0], pair[1])
	}
}

test_ports_as_people_write_them if {
	netpol.port_text("every port") == "every port"
	netpol.port_text({"port": 80}) == "TCP/80"
	netpol.port_text({"port": 53, "protocol": "UDP", "endPort": null}) == "UDP/53"
	netpol.port_text({"port": 8000, "endPort": 8010}) == "TCP/8000-8010"
	netpol.port_text({"port": 80, "endPort": 80}) == "TCP/80"
	netpol.port_text({"port": "http", "protocol": null}) == "TCP/http"
	netpol.port_text({"protocol": "SCTP"}) == "SCTP/every port"
}
