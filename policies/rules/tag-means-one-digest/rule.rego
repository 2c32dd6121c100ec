# METADATA
# title: A tag is the same image in every environment
# description: >-
#   Two digests under one tag mean that the tag was moved: people speak of one release, but staging tested another image
#   than prod runs.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/containers/images/#image-names
#     description: Kubernetes on tags and digests
# custom:
#   id: tag-means-one-digest
#   severity: error
#   scope: fleet
#   kinds: pod-carrying
#   example: {bad: moved, good: same}
#   remedy: Give the newer image its own tag, and promote that.
package cartwright.rules.tag_means_one_digest

import data.lib.fleet
import data.lib.image
import data.lib.report

violation contains report.in_container(input.review.object, pair.own, ["image"], text) if {
	some pair in fleet.containers(input.review.object, input.environment)
	own := image.parse(pair.own.spec.image)
	theirs := image.parse(pair.other.image)
	own.tag != ""
	own.digest != ""
	theirs.digest != ""
	object.remove(own, ["digest"]) == object.remove(theirs, ["digest"])
	own.digest != theirs.digest
	text := sprintf(
		"tag %s is %s here and %s in %s; give the newer image a tag of its own",
		[own.tag, own.digest, theirs.digest, pair.environment],
	)
}
