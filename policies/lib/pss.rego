# METADATA
# title: Pod Security Standards
# description: >-
#   Which level a pod is held to. Version 1.36 of the standard; its controls stand in the rules whose ids begin with `pss-`.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/security/pod-security-standards/
package lib.pss

import data.lib.inventory
import data.lib.levels

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
#   what it asks of the user, and of procMount, for it.
has_user_namespace(pod_spec) if pod_spec.hostUsers == false
