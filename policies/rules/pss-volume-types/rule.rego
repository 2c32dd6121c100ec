# METADATA
# title: Pods mount only safe volume types
# description: >-
#   Volumes that name a server, a disk or a path of the node bring their own credentials into the pod, or bypass them.
#   Long-lived storage is claimed, and the claim's class decides how it is reached.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
#     description: Pod Security Standards, restricted, Volume Types
# custom:
#   id: pss-volume-types
#   severity: error
#   scope: environment
#   kinds: pod-carrying
#   parameters:
#     level:
#       description: Judge pods as if their namespace enforced this level, instead of by its label.
#       type: string
#       enum: ["", privileged, baseline, restricted]
#       default: ""
#   reads: [Namespace]
#   remedy: Claim storage with a PersistentVolumeClaim, or use configMap, secret, projected, downwardAPI or emptyDir.
package cartwright.rules.pss_volume_types

import data.lib.pss
import data.lib.report
import data.lib.workload

violation contains report.in_pod(input.review.object, ["volumes", index, type], text) if {
	pss.binds("restricted", input.review.object, input.parameters)
	some index, volume in workload.pod_spec(input.review.object).volumes
	not _is_allowed(volume)
	some type in _refused
	volume[type] != null
	text := sprintf("volume %v is of type %s; use another type", [object.get(volume, "name", index), type])
}

_is_allowed(volume) if {
	some type in _allowed
	volume[type] != null
}

_allowed := {
	"configMap",
	"csi",
	"downwardAPI",
	"emptyDir",
	"ephemeral",
	"image",
	"persistentVolumeClaim",
	"projected",
	"secret",
}

# All other types. A volume of no type at all, or of one that does not exist, becomes an emptyDir.
_refused := {
	"awsElasticBlockStore",
	"azureDisk",
	"azureFile",
	"cephfs",
	"cinder",
	"fc",
	"flexVolume",
	"flocker",
	"gcePersistentDisk",
	"gitRepo",
	"glusterfs",
	"hostPath",
	"iscsi",
	"nfs",
	"photonPersistentDisk",
	"portworxVolume",
	"quobyte",
	"rbd",
	"scaleIO",
	"storageos",
	"vsphereVolume",
}
