# METADATA
# title: Images come from trusted registries
# description: >-
#   Whoever controls a registry's repository controls what runs here. The list limits images to sources that somebody
#   decided to trust, and stops a mistyped name from pulling a stranger's image.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/containers/images/#image-names
#     description: Kubernetes on image names and registries
# custom:
#   id: image-registry
#   severity: error
#   scope: object
#   kinds: pod-carrying
#   parameters:
#     registries:
#       description: >-
#         Registries, or parts of one, that images may come from, written out: `ghcr.io/example` allows
#         `ghcr.io/example/cartwright/orders` but not `ghcr.io/example-organisation/orders`.
#       type: array
#       items: {type: string, minLength: 1}
#       default:
#         - docker.io/library
#         - docker.io/openpolicyagent
#         - ghcr.io/example
#         - quay.io/prometheus
#         - quay.io/prometheus-operator
#         - registry.k8s.io
#   remedy: Use an image from an allowed registry, or add the registry to the parameter `registries` in environment.yaml.
package cartwright.rules.image_registry

import data.lib.image
import data.lib.report
import data.lib.workload

violation contains report.in_container(input.review.object, container, ["image"], text) if {
	some container in workload.containers(input.review.object)
	reference := object.get(container.spec, "image", "")
	not _allowed(reference)
	text := sprintf("image %v comes from none of the allowed registries: %s", [reference, concat(", ", input.parameters.registries)])
}

violation contains report.in_pod(input.review.object, path, text) if {
	some [path, name, reference] in workload.image_volumes(input.review.object)
	not _allowed(reference)
	text := sprintf(
		"its volume %v holds image %v, which comes from none of the allowed registries: %s",
		[name, reference, concat(", ", input.parameters.registries)],
	)
}

_allowed(reference) if {
	parts := image.parse(reference)
	some registry in input.parameters.registries
	startswith(sprintf("%s/%s/", [parts.registry, parts.repository]), sprintf("%s/", [trim_suffix(registry, "/")]))
}
