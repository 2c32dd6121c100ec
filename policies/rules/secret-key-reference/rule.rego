# METADATA
# title: Every Secret that a pod needs has a source, with its keys
# description: >-
#   No Secret is in Git, so nobody notices a misspelt name until the pod fails to start. Each environment declares once
#   what the secret store provides; manifests define the rest (a SealedSecret, an ExternalSecret, a Certificate).
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/configuration/secret/
#     description: Kubernetes on Secrets
# custom:
#   id: secret-key-reference
#   severity: error
#   scope: environment
#   kinds: pod-carrying
#   parameters:
#     provided:
#       description: >-
#         Secrets that the secret store brings, namespace/name with * for any part of a name, and the keys that they have.
#       type: object
#       additionalProperties: {type: array, items: {type: string}}
#       default: {}
#   git_only: Gatekeeper would have to keep every Secret of the cluster in memory.
#   reads: [Secret, SealedSecret.bitnami.com, Certificate.cert-manager.io, ExternalSecret.external-secrets.io]
#   remedy: >-
#     Correct name or key. Add a Secret of the secret store to the parameter `provided` in environment.yaml and to
#     docs/secrets.md.
package cartwright.rules.secret_key_reference

import data.lib.inventory
import data.lib.reference
import data.lib.report
import data.lib.secret_source

violation contains report.at(input.review.object, one.path, text) if {
	some one in reference.secrets(input.review.object)
	sources := _sources(one.name)
	not _has_key(sources, one.key)
	text := _text(sources, one)
}

_text([], one) := sprintf(
	"needs Secret %v, which nothing provides; correct the name or declare it in environment.yaml",
	[one.name],
)

_text(sources, one) := sprintf("needs key %v of Secret %v, which has none of that name; correct it or declare it", [
	one.key,
	one.name,
]) if {
	count(sources) > 0
}

# Whoever needs the whole is content with any.
_has_key(sources, "") if count(sources) > 0

_has_key(sources, key) if {
	some keys in sources
	key in keys
}

_has_key(sources, _) if {
	some keys in sources
	"*" in keys
}

# The keys that each source of the Secret brings; `*` where they are not known before it is filled.
_sources(name) := array.concat(
	[{key | some key in keys} |
		is_string(name)
		some pattern, keys in input.parameters.provided
		glob.match(pattern, ["/"], sprintf("%s/%s", [inventory.namespace(input.review.object), name]))
	],
	secret_source.keys(input.review.object, name),
)
