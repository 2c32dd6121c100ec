# METADATA
# title: Images are pinned by tag and digest
# description: >-
#   A tag can be moved to other content after review, so the checked content may not be what runs. A digest can't move,
#   but tells a reader nothing: the tag beside it names the version. `latest` names none.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/containers/images/#image-names
#     description: Kubernetes on image names and digests
# custom:
#   id: pinned-image
#   severity: error
#   scope: object
#   kinds: pod-carrying
#   parameters:
#     tagOnly:
#       description: >-
#         Image repositories, written out (`quay.io/prometheus/prometheus`), that a tag alone may name, because nobody
#         here can read their digests.
#       type: array
#       items: {type: string}
#       default: []
#   example: {bad: tag-only, good: tag-and-digest}
#   remedy: Write the image as name:tag@sha256:digest. An overlay's `images` entry holds both, `newTag` and `digest`.
package cartwright.rules.pinned_image

import data.lib.image
import data.lib.report
import data.lib.workload

violation contains report.in_container(input.review.object, container, ["image"], text) if {
	some container in workload.containers(input.review.object)
	text := _fault(object.get(container.spec, "image", ""))
}

violation contains report.in_pod(input.review.object, path, text) if {
	some [path, name, reference] in workload.image_volumes(input.review.object)
	text := sprintf("its volume %v: %s", [name, _fault(reference)])
}

_fault("") := "has no image; write name:tag@sha256:digest"

_fault(reference) := sprintf("image %v is not a valid reference; write name:tag@sha256:digest", [reference]) if {
	reference != ""
	not image.parse(reference)
}

_fault(reference) := sprintf("image %s has no digest; pin it as name:tag@sha256:digest", [reference]) if {
	parts := image.parse(reference)
	parts.digest == ""
	not parts.tag in {"", "latest"}
	not sprintf("%s/%s", [parts.registry, parts.repository]) in input.parameters.tagOnly
}

_fault(reference) := sprintf("image %s has neither tag nor digest; pin it as name:tag@sha256:digest", [reference]) if {
	parts := image.parse(reference)
	parts.digest == ""
	parts.tag == ""
}

_fault(reference) := sprintf("image %s is tagged latest, which names no version; give it the tag of its version", [reference]) if {
	image.parse(reference).tag == "latest"
}

_fault(reference) := sprintf("image %s has a digest but no tag that names its version", [reference]) if {
	parts := image.parse(reference)
	parts.digest != ""
	parts.tag == ""
}
