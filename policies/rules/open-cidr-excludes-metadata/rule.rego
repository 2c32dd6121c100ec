# METADATA
# title: >-
#   No policy opens the cloud's metadata service
# description: >-
#   A range that includes the cloud provider's metadata address gives the node's credentials to whoever breaks into the
#   pod. `0.0.0.0/0` includes it.
# related_resources:
#   - ref: https://kubernetes.io/docs/concepts/services-networking/network-policies/
#     description: Kubernetes on NetworkPolicies
# custom:
#   id: open-cidr-excludes-metadata
#   severity: error
#   scope: object
#   kinds: [{group: networking.k8s.io, kind: NetworkPolicy}]
#   parameters:
#     addresses:
#       description: Ranges that no policy may open, among them the addresses of the large clouds' metadata services.
#       type: array
#       items: {type: string, pattern: "^[0-9a-f.:]+/[0-9]+$"}
#       default: [169.254.169.254/32, "fd00:ec2::254/128"]
#   example: {bad: everything, good: excepted}
#   remedy: >-
#     Exclude the address with `except`, as `outside` in apps/dependencies.yaml does for every generated policy.
package cartwright.rules.open_cidr_excludes_metadata

import data.lib.edges
import data.lib.netpol
import data.lib.report

violation contains report.at(input.review.object, array.concat(opening.path, ["ipBlock"]), text) if {
	some opening in netpol.openings(input.review.object)
	some address in input.parameters.addresses
	block := opening.peer.ipBlock
	edges.is_range(block.cidr)
	net.cidr_intersects(block.cidr, address)
	not edges.keeps_out(block, address)
	text := sprintf("%s holds %s, the metadata service of the cloud; leave it out by except", [block.cidr, address])
}
