# METADATA
# title: Roles and bindings
# related_resources:
#   - ref: https://kubernetes.io/docs/reference/access-authn-authz/rbac/
package lib.rbac

import data.lib.inventory

# METADATA
# description: >-
#   The rules of a role, each {index, groups, resources, verbs, names, urls}: where it stands, and sets of texts, empty
#   where a field is left out or is none.
grants(role) := [grant |
	some index, rule in role.rules
	grant := {
		"index": index,
		"groups": _texts(rule, "apiGroups"),
		"resources": _texts(rule, "resources"),
		"verbs": _texts(rule, "verbs"),
		"names": _texts(rule, "resourceNames"),
		"urls": _texts(rule, "nonResourceURLs"),
	}
]

_texts(rule, field) := {text |
	some text in rule[field]
	is_string(text)
}

# METADATA
# description: >-
#   True if a grant (see `grants`) allows one of the verbs on one of the resources of a group, by name or by `*`.
allows(grant, group, resources, verbs) if {
	_has_one(grant.groups, {group})
	_has_one(grant.resources, resources)
	_has_one(grant.verbs, verbs)
}

_has_one(given, wanted) if count(given & (wanted | {"*"})) > 0

# METADATA
# description: >-
#   The role that a binding refers to, among the objects beside it; undefined where it is not there. A RoleBinding may
#   refer to a Role of its namespace or to a ClusterRole, a ClusterRoleBinding to a ClusterRole.
bound_role(binding) := role if {
	binding.roleRef.kind == "ClusterRole"
	role := inventory.named_beside({}, "rbac.authorization.k8s.io", "ClusterRole", binding.roleRef.name)
}

bound_role(binding) := role if {
	binding.roleRef.kind == "Role"
	binding.kind == "RoleBinding"
	role := inventory.named_beside(binding, "rbac.authorization.k8s.io", "Role", binding.roleRef.name)
}
