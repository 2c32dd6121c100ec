# METADATA
# title: How many pods
# description: How many pods a workload keeps, by itself or under a HorizontalPodAutoscaler of its namespace.
package lib.scale

import data.lib.inventory
import data.lib.portion
import data.lib.report

# METADATA
# description: >-
#   The autoscaler of a workload; undefined where it has none. One that has the workload's own name is found without
#   looking at the others.
autoscaler(resource) := found if {
	found := inventory.named_beside(resource, _group, _kind, report.name(resource))
	targets(found, resource)
} else := [found |
	some found in inventory.beside(resource, _group, _kind)
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
target(scaler) := inventory.named_beside(scaler, group(reference), reference.kind, reference.name) if {
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
	number := _number_or(scaler.spec, "minReplicas", 1)
} else := _number_or(object.get(resource, "spec", {}), "replicas", 1)

# METADATA
# description: The largest number of pods that a workload may grow to, not counting those of a rollout.
most(resource) := number if {
	scaler := autoscaler(resource)
	number := scaler.spec.maxReplicas
	is_number(number)
} else := least(resource)

# METADATA
# description: >-
#   The largest number of pods of an object at one time: those of a rollout and those that a Job runs side by side
#   included. A DaemonSet has one for each of `nodes`.
at_once(resource, nodes) := nodes if {
	resource.kind == "DaemonSet"
} else := _number_or(object.get(resource, "spec", {}), "parallelism", 1) if {
	resource.kind == "Job"
} else := _number_or(object.get(resource, ["spec", "jobTemplate", "spec"], {}), "parallelism", 1) if {
	resource.kind == "CronJob"
} else := 1 if {
	resource.kind == "Pod"
} else := total if {
	resource.kind == "Deployment"
	pods := most(resource)
	total := pods + surge(resource, pods)
} else := most(resource)

# METADATA
# description: How many pods the rollout of a Deployment of `pods` pods may add for a while.
surge(resource, _) := 0 if resource.spec.strategy.type == "Recreate"

surge(resource, pods) := more if {
	not resource.spec.strategy.type == "Recreate"
	more := portion.of(_stated_surge(resource), pods)
}

_stated_surge(resource) := stated if {
	stated := resource.spec.strategy.rollingUpdate.maxSurge
	stated != null
} else := "25%"

_group := "autoscaling"

_kind := "HorizontalPodAutoscaler"

_number_or(fields, name, otherwise) := number if {
	number := fields[name]
	is_number(number)
} else := otherwise
