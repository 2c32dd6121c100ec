# METADATA
# title: Every digest ran in the upstream first
# description: >-
#   An image that reaches prod without running in staging was not tested, whatever its tag says. Git knows every digest
#   that an overlay ever pinned. A break-glass promotion that skipped this says who and why.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/containers/images/#image-names
#     description: Kubernetes on digests
# custom:
#   id: digest-ran-upstream
#   severity: error
#   scope: fleet
#   kinds: pod-carrying
#   remedy: >-
#     Use `cartwright promote`: promote the release to the upstream first, then from there.
package cartwright.rules.digest_ran_upstream

import data.lib.fleet
import data.lib.image
import data.lib.report
import data.lib.workload

violation contains report.in_container(input.review.object, container, ["image"], text) if {
	history := data.fleet.facts.history
	some container in workload.containers(input.review.object)
	parts := image.parse(container.spec.image)
	parts.digest != ""
	repository := sprintf("%s/%s", [parts.registry, parts.repository])
	some upstream in fleet.upstreams(input.environment)
	not parts.digest in object.get(history, [upstream, repository], [])
	not _runs_in(upstream, container, parts.digest)
	not _passed_over(repository, parts.digest)
	text := sprintf(
		"%s of %s has never been in %s; promote it there first",
		[parts.digest, repository, upstream],
	)
}

# An image that no overlay pins has no history of its own there: what the same container runs counts.
_runs_in(upstream, container, digest) if {
	some pair in fleet.containers(input.review.object, input.environment)
	pair.environment == upstream
	pair.own.list == container.list
	pair.own.index == container.index
	image.parse(pair.other.image).digest == digest
}

_passed_over(repository, digest) if {
	some entry in data.fleet.facts.record[input.environment][repository]
	entry.digest == digest
	entry.origin == "break-glass"
}
