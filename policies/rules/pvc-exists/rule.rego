# METADATA
# title: Every PersistentVolumeClaim that a pod mounts exists
# description: >-
#   A pod whose claim does not exist stays unschedulable for ever. A claim made by hand is in no backup plan and not in
#   the next cluster.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/storage/persistent-volumes/
#     description: Kubernetes on PersistentVolumeClaims
# custom:
#   id: pvc-exists
#   severity: error
#   scope: environment
#   kinds: pod-carrying
#   reads: [PersistentVolumeClaim, StatefulSet.apps]
#   remedy: Add the claim to the app, or correct its name in the pod's volumes.
package cartwright.rules.pvc_exists

import data.lib.inventory
import data.lib.report
import data.lib.workload

violation contains report.in_pod(input.review.object, ["volumes", index, "persistentVolumeClaim", "claimName"], text) if {
	some index, volume in workload.pod_spec(input.review.object).volumes
	is_object(volume.persistentVolumeClaim)
	name := object.get(volume.persistentVolumeClaim, "claimName", "")
	not _exists(name)
	text := sprintf("mounts PersistentVolumeClaim %v, which does not exist; create it or name another", [name])
}

_exists(name) if inventory.named_beside(input.review.object, "", "PersistentVolumeClaim", name)

# A StatefulSet makes one for each of its pods: <template>-<StatefulSet>-<number>.
_exists(name) if {
	is_string(name)
	some set in inventory.beside(input.review.object, "apps", "StatefulSet")
	some template in set.spec.volumeClaimTemplates
	prefix := sprintf("%v-%v-", [template.metadata.name, set.metadata.name])
	startswith(name, prefix)
	regex.match(`^[0-9]+$`, trim_prefix(name, prefix))
}
