# METADATA
# title: One image has one version in an environment
# description: >-
#   A migration of one release beside pods of another, a sidecar that was forgotten in a promotion: two digests of one
#   repository in one environment mean that something was moved in part.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/containers/images/#image-names
#     description: Kubernetes on image names and digests
# custom:
#   id: same-repository-same-digest
#   severity: error
#   scope: environment
#   kinds: pod-carrying
#   remedy: >-
#     Give all of them the digest of the same release. `cartwright promote` moves every place where an app pins its
#     image.
package cartwright.rules.same_repository_same_digest

import data.lib.image
import data.lib.inventory
import data.lib.report
import data.lib.workload

violation contains report.in_container(input.review.object, container, ["image"], text) if {
	some container in workload.containers(input.review.object)
	parts := image.parse(container.spec.image)
	parts.digest != ""
	[other, digest] := _others(parts)[0]
	text := sprintf(
		"runs %s/%s at %s, but %s runs it at %s; give both the same",
		[parts.registry, parts.repository, _short(parts.digest), other, _short(digest)],
	)
}

# Most images differ in their last part, and that is cheap to tell.
_others(parts) := [[shown, other.digest] |
	segments := split(parts.repository, "/")
	last := segments[count(segments) - 1]
	some found in inventory.pods
	some container in workload.containers(found)
	is_string(container.spec.image)
	contains(container.spec.image, last)
	other := image.parse(container.spec.image)
	other.repository == parts.repository
	other.registry == parts.registry
	not other.digest in {"", parts.digest}
	shown := sprintf("%s/%s", [found.kind, report.name(found)])
]

_short(digest) := substring(digest, 0, 19)
