# METADATA
# title: Jobs
# description: What a Job does, wherever it is written.
package lib.job

# METADATA
# description: The path from a Job to its spec, and from a CronJob to the spec of its Jobs.
path(resource) := ["spec", "jobTemplate", "spec"] if {
	resource.kind == "CronJob"
} else := ["spec"]

# METADATA
# description: The spec of a Job or of a CronJob's Jobs; empty where there is none.
spec(resource) := found if {
	found := object.get(resource, path(resource), {})
	is_object(found)
} else := {}
