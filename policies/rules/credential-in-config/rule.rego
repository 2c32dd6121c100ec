# METADATA
# title: ConfigMaps, environment variables and arguments hold no credential
# description: >-
#   Everybody who may look at the namespace can read ConfigMaps and pod specs, and Git keeps them for ever. A token in
#   them is as public as a Secret in Git.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/secrets-good-practices/
#     description: Kubernetes on handling Secrets
# custom:
#   id: credential-in-config
#   severity: error
#   scope: object
#   kinds:
#     - {group: "", kind: ConfigMap}
#     - {group: "", kind: Pod}
#     - {group: "", kind: ReplicationController}
#     - {group: apps, kind: DaemonSet}
#     - {group: apps, kind: Deployment}
#     - {group: apps, kind: ReplicaSet}
#     - {group: apps, kind: StatefulSet}
#     - {group: batch, kind: CronJob}
#     - {group: batch, kind: Job}
#   parameters:
#     exempt:
#       description: Names of variables, and of ConfigMap keys, that look like credentials but are not.
#       type: array
#       items: {type: string}
#       default: []
#   example: {bad: variable, good: reference}
#   remedy: Remove the value, revoke it where it is valid, and read a new one from a Secret (secretKeyRef, or a file).
package cartwright.rules.credential_in_config

import data.lib.credential
import data.lib.report
import data.lib.workload

violation contains report.at(input.review.object, ["data", key], text) if {
	input.review.object.kind == "ConfigMap"
	some key, value in input.review.object.data
	not key in input.parameters.exempt
	text := sprintf("key %s holds %s; move it to a Secret", [key, _held(key, value)])
}

violation contains report.in_container(input.review.object, container, ["env", index, "value"], text) if {
	some container in workload.containers(input.review.object)
	some index, variable in container.spec.env
	is_object(variable)
	name := object.get(variable, "name", "")
	not name in input.parameters.exempt
	text := sprintf("variable %v holds %s; read it from a Secret by secretKeyRef", [name, _held(name, variable.value)])
}

violation contains report.in_container(input.review.object, container, [field, index], text) if {
	some container in workload.containers(input.review.object)
	some field in ["command", "args"]
	some index, value in container.spec[field]
	text := sprintf("%s[%d] holds %s; read it from a Secret", [field, index, _held_by_argument(value)])
}

_held(_, value) := credential.in_text(value)

_held(name, value) := "a value whose name says that it is secret" if {
	not credential.in_text(value)
	credential.is_named(name, value)
}

_held_by_argument(value) := credential.in_text(value)

_held_by_argument(value) := "a value whose name says that it is secret" if {
	not credential.in_text(value)
	is_string(value)
	startswith(value, "-")
	some [_, name, given] in regex.find_all_string_submatch_n(`^--?([A-Za-z0-9_.-]+)=(.+)$`, value, 1)
	credential.is_named(name, given)
}
