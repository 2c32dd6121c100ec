# METADATA
# title: How many pods
# description: How many pods a workload keeps, by itself or under a HorizontalPodAutoscaler of its namespace.
package lib.scale

import data.lib.inventory
import data.lib.report

# METADATA
# description: >-
#   The autoscaler of a workload; undefined where it has none. One that has the workload's own name is found without
#   looking at the others.
autoscaler(resource) := found if {
	found := inventory.named_beside(resource, "autoscaling", "HorizontalPodAutoscaler", report.name(resource))
	targets(found, resource)
} else := [found |
	some found in inventory.beside(resource, "autoscaling", "HorizontalPodAutoscaler")
	targets(found, resource)
][0]

# METADATA
# description: True for an autoscaler that scales the workload; the versions of both may differ.
targets(scaler, resource) if {
	target := scaler.spec.scaleTargetRef
	target.name == report.name(resource)
	target.kind == resource.kind
	group(target) == group(resource)
}

# METADATA
# description: The object that an autoscaler scales; undefined where there is none.
target(scaler) := found if {
	reference := scaler.spec.scaleTargetRef
	group(reference) == "apps"
	reference.kind in {"Deployment", "ReplicaSet", "StatefulSet"}
	found := inventory.named_beside(scaler, "apps", reference.kind, reference.name)
} else := inventory.named_beside(scaler, group(reference), reference.kind, reference.name) if {
	reference := scaler.spec.scaleTargetRef
}

# METADATA
# description: The API group of an object or of a reference to one; empty for the core group.
group(reference) := found if {
	is_string(reference.apiVersion)
	[found, _] := split(reference.apiVersion, "/")
} else := ""

# METADATA
# description: The smallest number of pods that a workload is to have.
least(resource) := number if {
	scaler := autoscaler(resource)
	number := number_or(scaler.spec, "minReplicas", 1)
} else := number_or(object.get(resource, "spec", {}), "replicas", 1)

# METADATA
# description: The largest number of pods that a workload may grow to, not counting those of a rollout.
most(resource) := number if {
	scaler := autoscaler(resource)
	number := scaler.spec.maxReplicas
	is_number(number)
} else := least(resource)

# METADATA
# description: A field that is a number; `otherwise` where it is absent, null or anything else.
number_or(fields, name, otherwise) := number if {
	number := fields[name]
	is_number(number)
} else := otherwise
