# METADATA
# title: A container sets each variable once
# description: >-
#   If two entries have the same name the last one wins silently, and a merge may reorder them. A change of the first
#   has no effect.
# related_resources:
#   - ref: https://kubernetes.io/docs/tasks/inject-data-application/define-environment-variable-container/
#     description: Kubernetes on environment variables
# custom:
#   id: duplicate-env
#   severity: error
#   scope: object
#   kinds: pod-carrying
#   example: {bad: twice, good: once}
#   remedy: Remove the entry that is not intended.
package cartwright.rules.duplicate_env

import data.lib.report
import data.lib.workload

violation contains report.in_container(input.review.object, container, ["env", index, "name"], text) if {
	some container in workload.containers(input.review.object)
	some index, variable in container.spec.env
	some earlier, other in container.spec.env
	earlier < index
	other.name == variable.name
	text := sprintf("sets the variable %v twice, and the last one counts; remove one", [variable.name])
}
