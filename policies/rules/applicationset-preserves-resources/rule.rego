# METADATA
# title: An ApplicationSet never deletes what customers use
# description: >-
#   An ApplicationSet deletes the Applications that its generators no longer return, with everything that they deployed:
#   a wrong path or a moved folder would delete the shop. In customer-facing environments it only creates and updates,
#   and deployed objects outlive their Application.
# related_resources:
#   - ref: https://argo-cd.readthedocs.io/en/stable/operator-manual/applicationset/Controlling-Resource-Modification/
#     description: Argo CD on what an ApplicationSet may change
# custom:
#   id: applicationset-preserves-resources
#   severity: error
#   scope: hub
#   kinds: [{group: argoproj.io, kind: ApplicationSet}]
#   parameters:
#     clusters:
#       description: >-
#         Clusters, by the name that Argo CD knows them by, which serve customers. In check they follow from the
#         environments: those of which no other one is downstream.
#       type: array
#       items: {type: string, minLength: 1}
#       default: [prod, production]
#   remedy: "Set syncPolicy.applicationsSync: create-update and syncPolicy.preserveResourcesOnDeletion: true."
package cartwright.rules.applicationset_preserves_resources

import data.lib.report

violation contains report.at(input.review.object, ["spec", "syncPolicy", "preserveResourcesOnDeletion"], text) if {
	_serves_customers
	not input.review.object.spec.syncPolicy.preserveResourcesOnDeletion == true
	text := sprintf(
		"without it the objects on cluster %s go when its Applications go; set preserveResourcesOnDeletion to true",
		[_cluster],
	)
}

violation contains report.at(input.review.object, ["spec", "syncPolicy", "applicationsSync"], text) if {
	_serves_customers
	not _only_adds
	text := sprintf(
		"it deletes Applications of cluster %s that its generators no longer give; set applicationsSync to create-update",
		[_cluster],
	)
}

_cluster := input.review.object.spec.template.spec.destination.name

_serves_customers if _cluster in input.parameters.clusters

# A name that is filled in may become any.
_serves_customers if {
	is_string(_cluster)
	contains(_cluster, "{{")
}

_only_adds if input.review.object.spec.syncPolicy.applicationsSync in {"create-only", "create-update"}
