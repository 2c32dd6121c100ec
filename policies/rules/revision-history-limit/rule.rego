# METADATA
# title: Workloads keep a few old revisions
# description: >-
#   The default keeps ten, each an object in etcd and a line in every list. Zero leaves nothing to roll back to when Git
#   is not available.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#clean-up-policy
#     description: Kubernetes on old revisions
# custom:
#   id: revision-history-limit
#   severity: error
#   scope: object
#   kinds:
#     - {group: apps, kind: DaemonSet}
#     - {group: apps, kind: Deployment}
#     - {group: apps, kind: StatefulSet}
#   parameters:
#     minimum:
#       description: Fewest old revisions to keep.
#       type: integer
#       minimum: 0
#       default: 1
#     maximum:
#       description: Most old revisions to keep.
#       type: integer
#       minimum: 0
#       default: 5
#   remedy: >-
#     Set revisionHistoryLimit between the two parameters, for example to 5.
package cartwright.rules.revision_history_limit

import data.lib.report

violation contains report.at(input.review.object, ["spec", "revisionHistoryLimit"], text) if {
	not _is_within
	text := sprintf("keeps %v old revisions; set revisionHistoryLimit from %s", [_kept, _range])
}

_is_within if {
	is_number(_kept)
	_kept >= input.parameters.minimum
	_kept <= input.parameters.maximum
}

# What the API server fills in.
default _kept := 10

_kept := stated if {
	stated := input.review.object.spec.revisionHistoryLimit
	stated != null
}

_range := sprintf("%d to %d", [input.parameters.minimum, input.parameters.maximum])
