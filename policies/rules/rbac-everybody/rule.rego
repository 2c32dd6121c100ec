# METADATA
# title: >-
#   No permission goes to everybody
# description: >-
#   A permission for all authenticated users, all accounts or anonymous users is one that every pod and every stolen
#   token has. Pods that name no account get the namespace's account `default`.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/rbac-good-practices/
#     description: Kubernetes on good practice with RBAC
# custom:
#   id: rbac-everybody
#   severity: error
#   scope: object
#   kinds: [{group: rbac.authorization.k8s.io, kind: RoleBinding}, {group: rbac.authorization.k8s.io, kind: ClusterRoleBinding}]
#   remedy: Bind the role to the ServiceAccount of the app, or to a group of people.
package cartwright.rules.rbac_everybody

import data.lib.report

violation contains report.at(input.review.object, ["subjects", index, "name"], text) if {
	some index, subject in input.review.object.subjects
	who := _everybody[subject.kind][subject.name]
	text := sprintf("gives permissions to %s %s: %s; name the account or the group that needs them", [
		subject.kind,
		subject.name,
		who,
	])
}

_everybody := {
	"Group": {
		"system:authenticated": "all who have any credentials",
		"system:serviceaccounts": "every pod of the cluster",
		"system:unauthenticated": "all who reach the API server",
	},
	"ServiceAccount": {"default": "every pod that names no account"},
	"User": {"system:anonymous": "all who reach the API server"},
}
