# METADATA
# title: Namespaces enforce a Pod Security level
# description: >-
#   Without the label `pod-security.kubernetes.io/enforce` the API server admits any pod, even a privileged one. Nothing
#   then enforces what the manifests promise.
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
#     version:
#       description: The oldest version of the standard that a namespace may be judged by.
#       type: string
#       pattern: ^v1\.[0-9]+$
#       default: v1.36
#   example: {bad: privileged, good: restricted}
#   remedy: >-
#     Set the label pod-security.kubernetes.io/enforce to the level of its environment or above. If you set
#     enforce-version, use the version of the cluster.
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

# Controls were added over the years: an older version of a level asks for less.
violation contains report.at(input.review.object, ["metadata", "labels", levels.version_label], text) if {
	pinned := input.review.object.metadata.labels[levels.version_label]
	not _is_current(pinned)
	text := sprintf("label %s is %v; set it to %s, or remove it", [levels.version_label, pinned, input.parameters.version])
}

_is_current("latest")

_is_current(pinned) if _minor(pinned) >= _minor(input.parameters.version)

_minor(version) := to_number(trim_prefix(version, "v1.")) if {
	is_string(version)
	regex.match(`^v1\.[0-9]{1,4}$`, version)
}
