# METADATA
# title: Containers have a read-only root file system
# description: >-
#   An attacker in a container can't add or change programs. It also shows what a container writes: that belongs on a
#   volume.
# related_resources:
#   - ref: https://kubernetes.io/docs/tasks/configure-pod-container/security-context/
#     description: Kubernetes on security contexts
# custom:
#   id: read-only-root-filesystem
#   severity: error
#   scope: object
#   kinds: pod-carrying
#   remedy: Set securityContext.readOnlyRootFilesystem to true, and mount an emptyDir where the container writes.
package cartwright.rules.read_only_root_filesystem

import data.lib.report
import data.lib.workload

violation contains report.in_container(input.review.object, container, ["securityContext", "readOnlyRootFilesystem"], text) if {
	# Windows has no read-only root: the API server refuses the field for its pods.
	not workload.is_windows(input.review.object)
	some container in workload.containers(input.review.object)
	not _is_read_only(container)
	text := "can write to its root file system; set securityContext.readOnlyRootFilesystem to true"
}

_is_read_only(container) if container.spec.securityContext.readOnlyRootFilesystem == true
