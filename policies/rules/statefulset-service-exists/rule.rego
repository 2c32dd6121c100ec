# METADATA
# title: The Service of a StatefulSet exists
# description: >-
#   serviceName gives the pods their DNS names. Kubernetes does not check that this Service exists or selects the pods:
#   they run, but can't be found by name.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-network-id
#     description: Kubernetes on the names of a StatefulSet's pods
# custom:
#   id: statefulset-service-exists
#   severity: error
#   scope: environment
#   kinds: [{group: apps, kind: StatefulSet}]
#   reads: [Service]
#   remedy: Create the Service in the same namespace with the pods' labels as its selector, or correct serviceName.
package cartwright.rules.statefulset_service_exists

import data.lib.inventory
import data.lib.report
import data.lib.selector
import data.lib.workload

violation contains report.at(input.review.object, ["spec", "serviceName"], text) if {
	not inventory.named_beside(input.review.object, "", "Service", _name)
	text := sprintf("names the Service %v, which its namespace does not have; create it, or correct serviceName", [_name])
}

violation contains report.at(input.review.object, ["spec", "serviceName"], text) if {
	service := inventory.named_beside(input.review.object, "", "Service", _name)
	not _selects_pods(service)
	text := sprintf("names the Service %v, which does not select its pods; give the Service their labels", [_name])
}

# Without a name the pods have none in DNS, and that may be meant.
_name := name if {
	name := input.review.object.spec.serviceName
	not name in {"", null}
}

_selects_pods(service) if {
	some _ in service.spec.selector
	selector.matches({"matchLabels": service.spec.selector}, workload.pod_labels(input.review.object))
}
