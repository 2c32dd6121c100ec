# METADATA
# title: Namespaces enforce a Pod Security level
# description: >-
#   Without the label `pod-security.kubernetes.io/enforce` the API server admits any pod, privileged ones included, and
#   the promises that the manifests make hold only as long as everybody keeps them.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/pod-security-admission/
#     description: Kubernetes on Pod Security admission
# custom:
#   id: namespace-pod-security
#   severity: error
#   scope: object
#   kinds: [{group: "", kind: Namespace}]
#   parameters:
#     level:
#       description: The lowest level that a namespace may enforce.
#       type: string
#       enum: [privileged, baseline, restricted]
#       default: baseline
#   remedy: Label the namespace with pod-security.kubernetes.io/enforce, at the level of its environment or above.
package cartwright.rules.namespace_pod_security

import data.lib.levels
import data.lib.report

violation contains report.at(input.review.object, _path, text) if text := _fault(_level)

_path := ["metadata", "labels", levels.enforce_label]

default _level := ""

_level := input.review.object.metadata.labels[levels.enforce_label]

_fault("") := sprintf("enforces no Pod Security level; set the label %s", [levels.enforce_label])

_fault(level) := sprintf("label %s is %v; it must be one of baseline, restricted", [levels.enforce_label, level]) if {
	level != ""
	not levels.rank[level]
}

_fault(level) := sprintf("enforces %s; this environment asks for %s", [level, input.parameters.level]) if {
	levels.rank[level] < levels.rank[input.parameters.level]
}
