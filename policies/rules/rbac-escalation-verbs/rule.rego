# METADATA
# title: Roles have no permission that leads to more
# description: >-
#   Some permissions are worth more than they look. Whoever may bind roles, impersonate users, create tokens of other
#   accounts, run commands in pods or change webhooks can gain every other permission.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/rbac-good-practices/
#     description: Kubernetes on good practice with RBAC
# custom:
#   id: rbac-escalation-verbs
#   severity: error
#   scope: object
#   kinds: [{group: rbac.authorization.k8s.io, kind: Role}, {group: rbac.authorization.k8s.io, kind: ClusterRole}]
#   remedy: >-
#     Remove the permission. If a controller needs it, limit it with resourceNames; if that is impossible, explain it in
#     a waiver.
package cartwright.rules.rbac_escalation_verbs

import data.lib.rbac
import data.lib.report

violation contains report.at(input.review.object, ["rules", grant.index, "verbs"], text) if {
	some grant in rbac.grants(input.review.object)
	count(grant.names) == 0
	some way in _ways
	rbac.allows(grant, way.group, way.resources, way.verbs)
	not _says_everything(grant)
	text := sprintf("allows %s on %s: whoever has that can %s; leave it out or limit it by resourceNames", [
		concat(", ", sort(_named(grant.verbs, way.verbs))),
		concat(", ", sort(_named(grant.resources, way.resources))),
		way.leads_to,
	])
}

# What is `*` on both sides says no more about these than about any other: rbac-wildcard speaks of that.
_says_everything(grant) if {
	"*" in grant.resources
	"*" in grant.verbs
}

_named(given, meant) := given & (meant | {"*"})

_rbac := "rbac.authorization.k8s.io"

_writes := {"create", "update", "patch"}

_ways := [
	{
		"group": _rbac,
		"resources": {"roles", "clusterroles"},
		"verbs": {"escalate"},
		"leads_to": "write roles with permissions that he does not have",
	},
	{
		"group": _rbac,
		"resources": {"roles", "clusterroles"},
		"verbs": {"bind"},
		"leads_to": "bind any role to himself",
	},
	{
		"group": "",
		"resources": {"users", "groups", "serviceaccounts"},
		"verbs": {"impersonate"},
		"leads_to": "act as anybody",
	},
	{
		"group": "authentication.k8s.io",
		"resources": {"uids"},
		"verbs": {"impersonate"},
		"leads_to": "act as anybody",
	},
	{
		"group": "",
		"resources": {"serviceaccounts/token"},
		"verbs": {"create"},
		"leads_to": "make tokens of every account",
	},
	{
		"group": "",
		"resources": {"pods/exec", "pods/attach"},
		"verbs": {"create", "get"},
		"leads_to": "run commands as any pod",
	},
	{
		"group": "",
		"resources": {"pods/ephemeralcontainers"},
		"verbs": {"update", "patch"},
		"leads_to": "run a container of his in any pod",
	},
	{
		"group": "",
		"resources": {"nodes/proxy"},
		"verbs": {"get", "create"},
		"leads_to": "run commands on every node, past admission and audit",
	},
	{
		"group": "",
		"resources": {"persistentvolumes"},
		"verbs": {"create"},
		"leads_to": "mount any path of a node",
	},
	{
		"group": "certificates.k8s.io",
		"resources": {"certificatesigningrequests/approval"},
		"verbs": {"update", "patch"},
		"leads_to": "get a certificate for any user",
	},
	{
		"group": "certificates.k8s.io",
		"resources": {"signers"},
		"verbs": {"approve", "sign"},
		"leads_to": "get a certificate for any user",
	},
	{
		"group": "admissionregistration.k8s.io",
		"resources": {"mutatingwebhookconfigurations", "validatingwebhookconfigurations"},
		"verbs": _writes,
		"leads_to": "read and change every object that is written",
	},
]
