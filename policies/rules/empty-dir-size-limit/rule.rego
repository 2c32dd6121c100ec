# METADATA
# title: An emptyDir has a size limit
# description: >-
#   An emptyDir without a limit can fill the node's disk until the kubelet evicts pods, including pods that wrote
#   nothing. An emptyDir in memory counts against the container's limit: writing to it may get the container killed.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/storage/volumes/#emptydir
#     description: Kubernetes on emptyDir
# custom:
#   id: empty-dir-size-limit
#   severity: error
#   scope: object
#   kinds: pod-carrying
#   remedy: Set emptyDir.sizeLimit. For an emptyDir in memory, set it below the memory limit of the pod.
package cartwright.rules.empty_dir_size_limit

import data.lib.demand
import data.lib.quantity
import data.lib.report
import data.lib.workload

violation contains report.in_pod(input.review.object, ["volumes", index, "emptyDir", "sizeLimit"], text) if {
	some index, volume in _empty_dirs
	not _has_limit(volume)
	text := sprintf("its volume %v may take the whole disk of its node; set emptyDir.sizeLimit", [object.get(volume, "name", index)])
}

violation contains report.in_pod(input.review.object, ["volumes", index, "emptyDir", "sizeLimit"], text) if {
	some index, volume in _empty_dirs
	volume.emptyDir.medium == "Memory"
	allowed := demand.of_pod(input.review.object, "limits", "memory", {})
	allowed > 0
	quantity.amount(volume.emptyDir.sizeLimit) > allowed
	text := sprintf(
		"its volume %v is in memory and may hold %v, more than its containers may take; lower sizeLimit",
		[object.get(volume, "name", index), quantity.shown(volume.emptyDir.sizeLimit)],
	)
}

# A volume without a source is an emptyDir.
_empty_dirs[index] := volume if {
	some index, volume in workload.pod_spec(input.review.object).volumes
	is_object(volume)
	not _has_other_source(volume)
}

_has_other_source(volume) if {
	some field, source in volume
	not field in {"name", "emptyDir"}
	source != null
}

_has_limit(volume) if quantity.amount(volume.emptyDir.sizeLimit) > 0
