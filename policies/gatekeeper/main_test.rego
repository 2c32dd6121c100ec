package cartwright_test

import data.cartwright

_finding := {"msg": "Deployment/operator, container a: image x has no digest", "details": {}}

_deployment := {
	"apiVersion": "apps/v1",
	"kind": "Deployment",
	"metadata": {"name": "operator", "namespace": "platform"},
}

_waiver := {
	"apiVersion": "apps/v1",
	"kind": "Deployment",
	"namespace": "platform",
	"name": "operator",
	"message": "container a:",
}

_cluster_role(labels) := {
	"apiVersion": "rbac.authorization.k8s.io/v1",
	"kind": "ClusterRole",
	"metadata": {"name": "reader", "labels": labels},
}

_found(resource, settings) := found if {
	request := {"review": {"object": resource}, "parameters": {"cartwright": settings}}
	found := cartwright.violation with input as request with data.lib.dispatch.violation as {_finding}
}

_asked_for(operation, resource, settings) := found if {
	request := {"review": {"object": resource, "operation": operation}, "parameters": {"cartwright": settings}}
	found := cartwright.violation with input as request with data.lib.dispatch.violation as {_finding}
}

_owned(controller) := {
	"apiVersion": "v1",
	"kind": "Pod",
	"metadata": {
		"name": "operator-1",
		"namespace": "platform",
		"ownerReferences": [{"kind": "ReplicaSet", "name": "operator", "controller": controller}],
	},
}

test_the_audit_counts_an_owner_once if {
	_asked_for("", _owned(true), {"owners": true}) == set()
	_found(_owned(true), {"owners": true}) == set()
	_found(_owned(true), {}) == {_finding}
	_found(_owned(false), {"owners": true}) == {_finding}
	_found(_deployment, {"owners": true}) == {_finding}
}

test_admission_judges_what_claims_to_have_an_owner if {
	_asked_for("CREATE", _owned(true), {"owners": true}) == {_finding}
	_asked_for("UPDATE", _owned(true), {"owners": true}) == {_finding}
}

test_a_finding_is_a_violation if _found(_deployment, {"rule": "pinned-image"}) == {_finding}

test_a_waiver_hides_its_own_finding if {
	_found(_deployment, {"waivers": [_waiver]}) == set()
	_found(_deployment, {"waivers": [object.union(_waiver, {"message": ""})]}) == set()
}

test_a_waiver_hides_no_other_finding if {
	every key, value in {
		"name": "other",
		"namespace": "shop",
		"kind": "StatefulSet",
		"apiVersion": "apps/v1beta1",
		"message": "container b:",
	} {
		_found(_deployment, {"waivers": [object.union(_waiver, {key: value})]}) == {_finding}
	}
}

test_a_waiver_of_a_cluster_wide_object if {
	wanted := {
		"apiVersion": "rbac.authorization.k8s.io/v1",
		"kind": "ClusterRole",
		"namespace": "",
		"name": "reader",
		"message": "",
	}
	_found(_cluster_role({}), {"waivers": [wanted]}) == set()
	_found(_cluster_role({}), {"waivers": [object.union(wanted, {"name": "writer"})]}) == {_finding}
}

test_cluster_wide_objects_count_where_they_carry_the_labels if {
	settings := {"clusterWide": {"app.kubernetes.io/part-of": "cartwright"}}
	_found(_cluster_role({"app.kubernetes.io/part-of": "cartwright"}), settings) == {_finding}
	_found(_cluster_role({"app.kubernetes.io/part-of": "other"}), settings) == set()
	_found(_cluster_role({}), settings) == set()
	_found(_cluster_role({}), {}) == {_finding}
}

test_namespaced_objects_and_namespaces_count_without_labels if {
	settings := {"clusterWide": {"app.kubernetes.io/part-of": "cartwright"}}
	namespace := {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
	_found(_deployment, settings) == {_finding}
	_found(namespace, settings) == {_finding}
}
