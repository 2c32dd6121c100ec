package lib.rbac_test

import data.lib.rbac

_role := {"rules": [
	{"apiGroups": [""], "resources": ["pods", "secrets"], "verbs": ["get"], "resourceNames": null},
	{"nonResourceURLs": ["/healthz"], "verbs": ["get", 5]},
	null,
]}

test_grants_are_sets_of_texts if {
	rbac.grants(_role) == [
		{"index": 0, "groups": {""}, "resources": {"pods", "secrets"}, "verbs": {"get"}, "names": set(), "urls": set()},
		{"index": 1, "groups": set(), "resources": set(), "verbs": {"get"}, "names": set(), "urls": {"/healthz"}},
		{"index": 2, "groups": set(), "resources": set(), "verbs": set(), "names": set(), "urls": set()},
	]
	rbac.grants({"rules": null}) == []
}

_grant(group, resource, verb) := {"groups": {group}, "resources": {resource}, "verbs": {verb}}

test_a_wildcard_allows_everything if {
	every grant in [_grant("", "secrets", "get"), _grant("*", "secrets", "get"), _grant("", "*", "get"), _grant("*", "*", "*")] {
		rbac.allows(grant, "", {"secrets"}, {"get", "list"})
	}
	every grant in [_grant("apps", "secrets", "get"), _grant("", "pods", "get"), _grant("", "secrets", "watch")] {
		not rbac.allows(grant, "", {"secrets"}, {"get", "list"})
	}
}

_version := "rbac.authorization.k8s.io/v1"

_inventory := {
	"cluster": {_version: {"ClusterRole": {"reader": {"id": "cluster"}}}},
	"namespace": {"shop": {_version: {"Role": {"reader": {"id": "shop"}}}}},
}

_bound(kind, role_kind, name) := role.id if {
	binding := {
		"kind": kind,
		"metadata": {"name": "b", "namespace": "shop"},
		"roleRef": {"kind": role_kind, "name": name},
	}
	role := rbac.bound_role(binding) with data.inventory as _inventory
}

test_bindings_find_their_role if {
	_bound("RoleBinding", "Role", "reader") == "shop"
	_bound("RoleBinding", "ClusterRole", "reader") == "cluster"
	_bound("ClusterRoleBinding", "ClusterRole", "reader") == "cluster"
	not _bound("ClusterRoleBinding", "Role", "reader")
	not _bound("RoleBinding", "Role", "writer")
}
