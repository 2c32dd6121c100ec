# METADATA
# title: A binding's accounts exist
# description: >-
#   A missing ServiceAccount has no permissions, so the app fails at its first request. Whoever may create an account of
#   that name gets them instead.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/rbac-good-practices/
#     description: Kubernetes on good practice with RBAC
# custom:
#   id: rbac-subject-exists
#   severity: error
#   scope: environment
#   kinds: [{group: rbac.authorization.k8s.io, kind: RoleBinding}, {group: rbac.authorization.k8s.io, kind: ClusterRoleBinding}]
#   parameters:
#     outside:
#       description: Namespaces whose ServiceAccounts somebody else creates.
#       type: array
#       items: {type: string}
#       default: [kube-system]
#   reads: [ServiceAccount]
#   remedy: Create the ServiceAccount, or correct name and namespace of the subject. Both are required.
package cartwright.rules.rbac_subject_exists

import data.lib.inventory
import data.lib.report

violation contains report.at(input.review.object, ["subjects", index, "name"], text) if {
	some index, subject in input.review.object.subjects
	subject.kind == "ServiceAccount"
	namespace := object.get(subject, "namespace", "")
	name := object.get(subject, "name", "")
	not namespace in input.parameters.outside
	not _exists(namespace, name)
	text := sprintf("gives permissions to ServiceAccount %v/%v, which does not exist; create it or name another", [
		namespace,
		name,
	])
}

_exists(namespace, name) if {
	not namespace in [null, ""]
	inventory.named_beside({"metadata": {"namespace": namespace}}, "", "ServiceAccount", name)
}

# Every namespace has this one.
_exists(namespace, "default") if not namespace in [null, ""]
