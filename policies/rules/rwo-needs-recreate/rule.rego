# METADATA
# title: A Deployment with a single-node volume stops the old pod first
# description: >-
#   A ReadWriteOnce volume is attached to one node, a ReadWriteOncePod volume belongs to one pod. A rolling update
#   starts the new pod while the old one still holds the volume. On another node the new pod waits for ever, and so does
#   the rollout.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/storage/persistent-volumes/#access-modes
#     description: Kubernetes on access modes
# custom:
#   id: rwo-needs-recreate
#   severity: error
#   scope: environment
#   kinds: [{group: apps, kind: Deployment}]
#   reads:
#     - PersistentVolumeClaim
#     - Deployment.apps
#     - ReplicaSet.apps
#     - StatefulSet.apps
#     - HorizontalPodAutoscaler.autoscaling
#     - Deployment.extensions
#     - ReplicaSet.extensions
#   remedy: Set strategy.type to Recreate and one replica. For more pods use a StatefulSet, or a ReadWriteMany volume.
package cartwright.rules.rwo_needs_recreate

import data.lib.inventory
import data.lib.report
import data.lib.scale
import data.lib.workload

violation contains report.at(input.review.object, ["spec", "strategy", "type"], text) if {
	some claim in _claims
	not input.review.object.spec.strategy.type == "Recreate"
	text := sprintf(
		"mounts the claim %s, which one node holds at a time, and updates by rolling; set strategy.type to Recreate",
		[claim],
	)
}

violation contains report.at(input.review.object, ["spec", "replicas"], text) if {
	some claim in _claims
	pods := scale.most(input.review.object)
	pods > 1
	text := sprintf("may have %d pods that mount the claim %s, which one node holds at a time; keep one replica", [pods, claim])
}

# The claims of the pod that are known, and cannot be shared between nodes.
_claims contains name if {
	some volume in workload.pod_spec(input.review.object).volumes
	name := volume.persistentVolumeClaim.claimName
	_is_held_by_one(inventory.named_beside(input.review.object, "", "PersistentVolumeClaim", name))
}

# A StatefulSet makes claims of its own, and others may mount them.
_claims contains name if {
	some volume in workload.pod_spec(input.review.object).volumes
	name := volume.persistentVolumeClaim.claimName
	some owner in inventory.beside(input.review.object, "apps", "StatefulSet")
	some claim in owner.spec.volumeClaimTemplates
	startswith(sprintf("%v", [name]), sprintf("%v-%s-", [claim.metadata.name, report.name(owner)]))
	_is_held_by_one(claim)
}

_is_held_by_one(claim) if {
	some mode in claim.spec.accessModes
	mode in {"ReadWriteOnce", "ReadWriteOncePod"}
	not _is_shared(claim)
}

_is_shared(claim) if {
	some mode in claim.spec.accessModes
	mode in {"ReadOnlyMany", "ReadWriteMany"}
}
