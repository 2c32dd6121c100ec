# METADATA
# title: Levels of the Pod Security Standards
package lib.levels

# METADATA
# description: The levels, each stricter than the one before.
rank := {"privileged": 0, "baseline": 1, "restricted": 2}

# METADATA
# description: The label of a namespace that makes the API server refuse pods below a level.
enforce_label := "pod-security.kubernetes.io/enforce"

# METADATA
# description: The label of a namespace that says by which version of the standard; the API server's own without it.
version_label := "pod-security.kubernetes.io/enforce-version"
