# METADATA
# title: Containers have time to stop after their preStop hook
# description: >-
#   The grace period includes the preStop hook. A hook that takes all of it leaves no time: the container is killed with
#   requests in flight and unwritten data is lost.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination
#     description: Kubernetes on how pods end
# custom:
#   id: prestop-grace-period
#   severity: error
#   scope: object
#   kinds: pod-carrying
#   parameters:
#     reserve:
#       description: Seconds that a container must have left after its preStop hook.
#       type: integer
#       minimum: 1
#       default: 5
#   remedy: Set terminationGracePeriodSeconds to the longest preStop pause plus the time that the process needs to stop.
package cartwright.rules.prestop_grace_period

import data.lib.report
import data.lib.workload

violation contains report.in_pod(input.review.object, ["terminationGracePeriodSeconds"], text) if {
	_grace < input.parameters.reserve
	text := sprintf(
		"gives its containers %v seconds to end; set terminationGracePeriodSeconds to %d or more",
		[_grace, input.parameters.reserve],
	)
}

violation contains report.in_container(input.review.object, container, ["lifecycle", "preStop"], text) if {
	_grace >= input.parameters.reserve
	some container in workload.long_running(input.review.object)
	pause := _pause(container.spec.lifecycle.preStop)
	pause + input.parameters.reserve > _grace
	text := sprintf(
		"its preStop hook waits %v of the %v seconds that it has to end; set terminationGracePeriodSeconds to %v or more",
		[pause, _grace, pause + input.parameters.reserve],
	)
}

default _grace := 30

_grace := stated if {
	stated := workload.pod_spec(input.review.object).terminationGracePeriodSeconds
	is_number(stated)
}

# A pause by itself, or one that a shell makes.
_pause(hook) := hook.sleep.seconds if {
	is_number(hook.sleep.seconds)
} else := to_number(seconds) if {
	words := concat(" ", [word | some word in hook.exec.command; is_string(word)])
	some [_, seconds] in regex.find_all_string_submatch_n(`(?:^|[\s;&/])sleep ([0-9]+)(?:[\s;&]|$)`, words, 1)
}
