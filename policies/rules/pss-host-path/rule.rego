# METADATA
# title: Pods mount no path of their node
# description: >-
#   A path of the node gives access to its kubelet's credentials, its runtime's sockets and other pods' files. Written
#   files stay when the pod is gone.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/pod-security-standards/#baseline
#     description: Pod Security Standards, baseline, HostPath Volumes
# custom:
#   id: pss-host-path
#   severity: error
#   scope: environment
#   kinds: pod-carrying
#   parameters:
#     level:
#       description: Judge pods as if their namespace enforced this level, instead of by its label.
#       type: string
#       enum: ["", privileged, baseline, restricted]
#       default: ""
#   example: {bad: volume, good: empty-dir}
#   reads: [Namespace]
#   remedy: Use a PersistentVolumeClaim, an emptyDir, a ConfigMap or a projected volume.
package cartwright.rules.pss_host_path

import data.lib.pss
import data.lib.report
import data.lib.workload

violation contains report.in_pod(input.review.object, ["volumes", index, "hostPath"], text) if {
	pss.binds("baseline", input.review.object, input.parameters)
	some index, volume in workload.pod_spec(input.review.object).volumes
	volume.hostPath != null
	text := sprintf("volume %v is a hostPath; use another type of volume", [object.get(volume, "name", index)])
}
