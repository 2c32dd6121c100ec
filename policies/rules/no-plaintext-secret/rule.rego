# METADATA
# title: >-
#   No Secret has its content in Git
# description: >-
#   Base64 hides nothing: whoever can read the repository, or any clone of it, has the secret for ever. Manifests refer
#   to Secrets by name; a secret store creates them in the cluster.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/secrets-good-practices/
#     description: Kubernetes on handling Secrets
# custom:
#   id: no-plaintext-secret
#   severity: error
#   scope: object
#   kinds: [{group: "", kind: Secret}]
#   git_only: In a cluster every Secret holds its content.
#   remedy: >-
#     Remove the value from Git and replace it, because others may know it. Let the secret store create the Secret, or
#     commit it encrypted (a SealedSecret, or values encrypted by SOPS).
package cartwright.rules.no_plaintext_secret

import data.lib.report

violation contains report.at(input.review.object, [field, key], text) if {
	some field in ["data", "stringData"]
	some key, value in input.review.object[field]
	_reveals(value)
	not _is_public(key)
	text := sprintf("holds the value of %v in plain text; let the secret store create it", [key])
}

_reveals(value) if {
	not value in {"", null}
	not _is_encrypted(value)
}

# SOPS encrypts values one by one and leaves a note of how beside them.
_is_encrypted(value) if {
	is_object(input.review.object.sops)
	is_string(value)
	regex.match(`^ENC\[AES256_GCM,data:[^\]]+\]$`, value)
}

# Argo CD keeps its clusters and repositories in Secrets: what they are called and where they are is not secret.
_is_public(key) if {
	type := input.review.object.metadata.labels["argocd.argoproj.io/secret-type"]
	key in _public_keys[type]
}

_public_keys := {
	"cluster": {"name", "namespaces", "clusterResources", "project", "server", "shard"},
	"repository": {"name", "project", "type", "url"},
	"repo-creds": {"type", "url"},
}
