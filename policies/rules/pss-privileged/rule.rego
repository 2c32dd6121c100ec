# METADATA
# title: Containers are not privileged
# description: >-
#   A privileged container has all devices and capabilities of its node and no security profile: whoever takes it over
#   has the node and every pod on it.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/pod-security-standards/#baseline
#     description: Pod Security Standards, baseline, Privileged Containers
# custom:
#   id: pss-privileged
#   severity: error
#   scope: environment
#   kinds: pod-carrying
#   parameters:
#     level:
#       description: Judge pods as if their namespace enforced this level, instead of by its label.
#       type: string
#       enum: ["", privileged, baseline, restricted]
#       default: ""
#   example: {bad: container, good: container}
#   reads: [Namespace]
#   remedy: Remove securityContext.privileged, and add only the capability or device that is needed.
package cartwright.rules.pss_privileged

import data.lib.pss
import data.lib.report
import data.lib.workload

violation contains report.in_container(input.review.object, container, ["securityContext", "privileged"], text) if {
	pss.binds("baseline", input.review.object, input.parameters)
	some container in workload.containers(input.review.object)
	value := container.spec.securityContext.privileged
	not value in {null, false}
	text := sprintf("securityContext.privileged is %v; remove it", [value])
}
