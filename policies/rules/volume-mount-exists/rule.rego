# METADATA
# title: Every mount has a volume in its pod
# description: >-
#   The API server accepts the Deployment, but refuses a pod that mounts a missing volume. Nothing starts, and the
#   reason is only in an event of the ReplicaSet.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/storage/volumes/
#     description: Kubernetes on volumes
# custom:
#   id: volume-mount-exists
#   severity: error
#   scope: object
#   kinds: pod-carrying
#   example: {bad: volume, good: volume}
#   remedy: Add the volume to the pod's spec, or correct the name in the mount.
package cartwright.rules.volume_mount_exists

import data.lib.report
import data.lib.workload

violation contains report.in_container(input.review.object, container, [field, index, "name"], text) if {
	some container in workload.containers(input.review.object)
	some field in ["volumeMounts", "volumeDevices"]
	some index, mount in container.spec[field]
	name := _name(mount)
	not name in _volumes
	text := sprintf("mounts volume %v, which the pod does not have; add it or correct the name", [name])
}

_name(mount) := mount.name

_name(mount) := "without a name" if not mount.name

_volumes contains volume.name if some volume in workload.pod_spec(input.review.object).volumes

_volumes contains template.metadata.name if {
	input.review.object.kind == "StatefulSet"
	some template in input.review.object.spec.volumeClaimTemplates
}
