# METADATA
# title: Pod Security Standards
# description: >-
#   Which level a pod is held to, and what the controls have in common. Version 1.36 of the standard; its controls stand
#   in the rules whose ids begin with `pss-`. A level contains the controls of those below, each under its own id.
#   Where a field holds what the API server would not even decode (a text for a boolean), a control takes it for the
#   worst that it could mean.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/pod-security-standards/
package lib.pss

import data.lib.inventory
import data.lib.levels
import data.lib.report
import data.lib.workload

# METADATA
# description: >-
#   True where a control of `control_level` binds the pods of `object`. The parameter `level` decides if given, else the
#   namespace's own label. A pod whose namespace is not known, or says nothing, is held to `restricted`.
binds(control_level, resource, parameters) if levels.rank[level(resource, parameters)] >= levels.rank[control_level]

# METADATA
# description: The level that the pods of `object` are held to.
level(resource, parameters) := chosen if {
	chosen := parameters.level
	levels.rank[chosen]
} else := labelled if {
	labelled := inventory.namespace_of(resource).metadata.labels[levels.enforce_label]
	levels.rank[labelled]
} else := "restricted"

# METADATA
# description: >-
#   True for a pod in a user namespace of its own, whose root is nobody on the node: from 1.35 on the standard drops
#   what it asks of the user for it, and baseline what it asks of procMount.
has_user_namespace(pod_spec) if pod_spec.hostUsers == false

# METADATA
# description: >-
#   Wherever the security contexts of an object set a field that pods and containers both have, the pod first:
#   {container, value}, the container null for the pod itself. A field that is null is not set.
settings(resource, field) := array.concat(
	[{"container": null, "value": value} |
		value := workload.pod_spec(resource).securityContext[field]
		value != null
	],
	[{"container": container, "value": value} |
		some container in workload.containers(resource)
		value := container.spec.securityContext[field]
		value != null
	],
)

# METADATA
# description: A violation by one of `settings`; `path` starts at the security context.
at_setting(resource, setting, path, text) := report.in_pod(resource, array.concat(["securityContext"], path), text) if {
	setting.container == null
} else := report.in_container(resource, setting.container, array.concat(["securityContext"], path), text)

# METADATA
# description: >-
#   The entries of a list: none of a missing one (null). What is no list counts as its own one entry, so that nothing it
#   holds is overlooked.
entries(null) := []

entries(value) := value if is_array(value)

entries(value) := [value] if {
	value != null
	not is_array(value)
}

# METADATA
# description: True for a seccomp or AppArmor profile of a type that filters what a container may do.
confines(profile) if profile.type in {"Localhost", "RuntimeDefault"}

# METADATA
# description: The type of such a profile, for messages.
type_of(profile) := found if {
	found := profile.type
} else := "missing"
