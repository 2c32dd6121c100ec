# METADATA
# title: Manifests bind nobody to cluster-admin
# description: >-
#   cluster-admin may do everything, so its use can't be told apart from an attack. The group system:masters bypasses
#   RBAC altogether, and nobody can revoke it from whoever has its certificate.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/rbac-good-practices/
#     description: Kubernetes on good practice with RBAC
# custom:
#   id: cluster-admin-binding
#   severity: error
#   scope: object
#   kinds: [{group: rbac.authorization.k8s.io, kind: RoleBinding}, {group: rbac.authorization.k8s.io, kind: ClusterRoleBinding}]
#   parameters:
#     exempt:
#       description: Names of intended bindings, such as the one for emergencies.
#       type: array
#       items: {type: string}
#       default: []
#   remedy: >-
#     Bind a role with only the permissions that are needed. Add a binding for emergencies to the parameter `exempt`.
package cartwright.rules.cluster_admin_binding

import data.lib.report

violation contains report.at(input.review.object, ["roleRef", "name"], text) if {
	not report.name(input.review.object) in input.parameters.exempt
	input.review.object.roleRef.name == "cluster-admin"
	text := "binds cluster-admin, which may do everything; bind a role that holds what is needed"
}

violation contains report.at(input.review.object, ["subjects", index, "name"], text) if {
	not report.name(input.review.object) in input.parameters.exempt
	some index, subject in input.review.object.subjects
	subject.kind == "Group"
	subject.name == "system:masters"
	text := "names the group system:masters, which no rule binds; name a group of your own"
}
