# METADATA
# title: Every ConfigMap that a pod needs exists, with its keys
# description: >-
#   A container whose ConfigMap or key is missing does not start: the rollout hangs with CreateContainerConfigError, or the
#   volume never mounts.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/configuration/configmap/
#     description: Kubernetes on ConfigMaps
# custom:
#   id: config-map-exists
#   severity: error
#   scope: environment
#   kinds: pod-carrying
#   parameters:
#     provided:
#       description: Names of ConfigMaps that are in every namespace without a manifest.
#       type: array
#       items: {type: string}
#       default: [kube-root-ca.crt]
#   example: {bad: env-from, good: env-from}
#   reads: [ConfigMap]
#   remedy: >-
#     Add the ConfigMap or the key, or correct the name. If the pod can do without it, set `optional: true`.
package cartwright.rules.config_map_exists

import data.lib.inventory
import data.lib.reference
import data.lib.report

violation contains report.at(input.review.object, one.path, text) if {
	some one in reference.config_maps(input.review.object)
	not one.name in input.parameters.provided
	text := _fault(one.name, one.key)
}

_fault(name, _) := sprintf("needs ConfigMap %v, which does not exist; create it or name another", [name]) if {
	not inventory.named_beside(input.review.object, "", "ConfigMap", name)
}

_fault(name, key) := sprintf("needs key %v of ConfigMap %v, which has none of that name; add it", [key, name]) if {
	key != ""
	found := inventory.named_beside(input.review.object, "", "ConfigMap", name)
	not _has_key(found, key)
}

_has_key(found, key) if {
	some field in ["data", "binaryData"]
	some present, _ in found[field]
	present == key
}
