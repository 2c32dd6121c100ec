# METADATA
# title: Nobody can read the Secrets of every namespace
# description: >-
#   A ClusterRoleBinding to a role that may read Secrets exposes the passwords of every app and of system components at
#   once.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/rbac-good-practices/
#     description: Kubernetes on good practice with RBAC
# custom:
#   id: rbac-cluster-secrets
#   severity: error
#   scope: environment
#   kinds: [{group: rbac.authorization.k8s.io, kind: ClusterRoleBinding}]
#   reads: [ClusterRole.rbac.authorization.k8s.io, Role.rbac.authorization.k8s.io]
#   remedy: Bind the role with a RoleBinding in the namespaces that need it, or list the Secrets in resourceNames.
package cartwright.rules.rbac_cluster_secrets

import data.lib.rbac
import data.lib.report

violation contains report.at(input.review.object, ["roleRef", "name"], text) if {
	_reads_secrets
	text := sprintf(
		"%v may read the Secrets of every namespace; bind it by a RoleBinding where it is needed",
		[input.review.object.roleRef.name],
	)
}

_reads_secrets if {
	some grant in rbac.grants(rbac.bound_role(input.review.object))
	count(grant.names) == 0
	rbac.allows(grant, "", {"secrets"}, {"get", "list", "watch"})
}

# Kubernetes' own roles that do.
_reads_secrets if input.review.object.roleRef.name in {"admin", "edit"}
