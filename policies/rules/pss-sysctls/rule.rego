# METADATA
# title: Pods set no sysctl that affects others
# description: >-
#   Most kernel parameters belong to the node, not the pod, and some disable its protections. Those that baseline allows
#   belong to the pod's own namespaces.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/pod-security-standards/#baseline
#     description: Pod Security Standards, baseline, Sysctls
# custom:
#   id: pss-sysctls
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
#   remedy: Remove the sysctl, or set it on the node, for all pods there.
package cartwright.rules.pss_sysctls

import data.lib.pss
import data.lib.report
import data.lib.workload

violation contains report.in_pod(input.review.object, ["securityContext", "sysctls", index, "name"], text) if {
	pss.binds("baseline", input.review.object, input.parameters)
	pod_spec := workload.pod_spec(input.review.object)
	some index, sysctl in pss.entries(object.get(pod_spec, ["securityContext", "sysctls"], null))
	name := _name(sysctl)
	not name in _allowed
	text := sprintf("sets the sysctl %v; remove it", [name])
}

_name(sysctl) := found if {
	found := sysctl.name
} else := "without a name"

_allowed := {
	"kernel.shm_rmid_forced",
	"net.ipv4.ip_local_port_range",
	"net.ipv4.ip_local_reserved_ports",
	"net.ipv4.ip_unprivileged_port_start",
	"net.ipv4.ping_group_range",
	"net.ipv4.tcp_fin_timeout",
	"net.ipv4.tcp_keepalive_intvl",
	"net.ipv4.tcp_keepalive_probes",
	"net.ipv4.tcp_keepalive_time",
	"net.ipv4.tcp_rmem",
	"net.ipv4.tcp_syncookies",
	"net.ipv4.tcp_wmem",
}
