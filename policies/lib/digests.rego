# METADATA
# title: Digests that an environment runs
# description: >-
#   Which digests of an image repository there are, and who runs them: {repository: {digest: {"Kind/name": true}}}. Images
#   without a digest are not among them.
package lib.digests

import data.lib.image
import data.lib.inventory
import data.lib.report
import data.lib.workload

# METADATA
# description: >-
#   The digests of one repository, as `lib.image.parse` gives it. Whoever keeps an index of them saves looking at every
#   pod for every container.
running(parts) := found if {
	found := inventory.index("digests")[repository(parts)]
} else := {} if {
	inventory.index("digests")
} else := object.union_n([{digest: {shown: true}} | some [_, digest, shown] in _images(inventory.pods, parts)])

# METADATA
# description: The index over objects of any kind.
index(resources) := object.union_n([{repository(parts): {digest: {shown: true}}} |
	carriers := [resource | some resource in resources; inventory.carries_pods(resource)]
	some [parts, digest, shown] in _images(carriers, {"repository": ""})
])

# METADATA
# description: The name of a repository, its registry included.
repository(parts) := sprintf("%s/%s", [parts.registry, parts.repository])

# Most images differ from the wanted one in their last part, and that is cheap to tell.
_images(resources, wanted) := [[parts, parts.digest, shown] |
	segments := split(wanted.repository, "/")
	last := segments[count(segments) - 1]
	some resource in resources
	some container in workload.containers(resource)
	is_string(container.spec.image)
	contains(container.spec.image, last)
	parts := image.parse(container.spec.image)
	parts.digest != ""
	wanted.repository in {"", parts.repository}
	object.get(wanted, "registry", parts.registry) == parts.registry
	shown := sprintf("%s/%s", [resource.kind, report.name(resource)])
]
