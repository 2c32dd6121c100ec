# METADATA
# title: Containers get no environment variables of other Services
# description: >-
#   By default Kubernetes adds variables for every Service of the namespace to every container. They override the
#   program's own settings: a Service called redis sets REDIS_PORT to an address that no program expects.
# related_resources:
#   - ref: https://kubernetes.io/docs/tutorials/services/connect-applications-service/#environment-variables
#     description: Kubernetes on the variables of Services
# custom:
#   id: no-service-links
#   severity: warning
#   scope: object
#   kinds: pod-carrying
#   remedy: Set enableServiceLinks to false. Programs find Services by DNS.
package cartwright.rules.no_service_links

import data.lib.report
import data.lib.workload

violation contains report.in_pod(input.review.object, ["enableServiceLinks"], text) if {
	not workload.pod_spec(input.review.object).enableServiceLinks == false
	text := "gets variables for every Service of its namespace, which may take the place of its own; set enableServiceLinks to false"
}
