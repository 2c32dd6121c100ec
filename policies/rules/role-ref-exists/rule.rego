# METADATA
# title: A binding refers to a role that exists
# description: >-
#   A binding to a missing role grants nothing, silently, until somebody creates a role of that name with any
#   permissions. A roleRef can't be changed afterwards.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/rbac-good-practices/
#     description: Kubernetes on good practice with RBAC
# custom:
#   id: role-ref-exists
#   severity: error
#   scope: environment
#   kinds: [{group: rbac.authorization.k8s.io, kind: RoleBinding}, {group: rbac.authorization.k8s.io, kind: ClusterRoleBinding}]
#   parameters:
#     provided:
#       description: ClusterRoles that somebody else creates, beside those of Kubernetes itself.
#       type: array
#       items: {type: string}
#       default: []
#   example: {bad: role, good: role}
#   reads: [ClusterRole.rbac.authorization.k8s.io, Role.rbac.authorization.k8s.io]
#   remedy: >-
#     Name a Role of the binding's namespace or a ClusterRole. Add a role from elsewhere to the parameter `provided` in
#     environment.yaml.
package cartwright.rules.role_ref_exists

import data.lib.rbac
import data.lib.report

violation contains report.at(input.review.object, ["roleRef", "name"], text) if {
	not _exists
	text := sprintf("refers to %s, which does not exist; create it or name another", [_shown])
}

_exists if rbac.bound_role(input.review.object)

_exists if {
	input.review.object.roleRef.kind == "ClusterRole"
	_is_provided(input.review.object.roleRef.name)
}

_is_provided(name) if name in {"admin", "cluster-admin", "edit", "view"}

_is_provided(name) if {
	is_string(name)
	startswith(name, "system:")
}

_is_provided(name) if name in input.parameters.provided

default _shown := "no role"

_shown := sprintf("%v %v", [input.review.object.roleRef.kind, input.review.object.roleRef.name])
