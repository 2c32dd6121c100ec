# METADATA
# title: One image has one version in an environment
# description: >-
#   Two digests of one repository in one environment mean that a release was moved only in part: a migration of one
#   release beside pods of another, or a forgotten sidecar.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/containers/images/#image-names
#     description: Kubernetes on image names and digests
# custom:
#   id: same-repository-same-digest
#   severity: error
#   scope: environment
#   kinds: pod-carrying
#   reads: [pod-carrying]
#   remedy: >-
#     Use the digest of the same release everywhere. `cartwright promote` moves every place where an app pins its image.
package cartwright.rules.same_repository_same_digest

import data.lib.digests
import data.lib.image
import data.lib.report
import data.lib.workload

violation contains report.in_container(input.review.object, container, ["image"], text) if {
	some container in workload.containers(input.review.object)
	parts := image.parse(container.spec.image)
	parts.digest != ""
	running := digests.running(parts)
	other := min(object.keys(running) - {parts.digest})
	text := sprintf(
		"runs %s at %s, but %s runs it at %s; give both the same",
		[digests.repository(parts), _short(parts.digest), min(object.keys(running[other])), _short(other)],
	)
}

_short(digest) := substring(digest, 0, 19)
