package lib.argocd_test

import data.lib.argocd

_project(sources, destinations) := {"spec": {"sourceRepos": sources, "destinations": destinations}}

test_sources_of_both_forms if {
	argocd.sources({"source": {"path": "a"}}) == [{"path": ["source"], "source": {"path": "a"}}]
	argocd.sources({"sources": [{"path": "b"}, null]}) == [{"path": ["sources", 0], "source": {"path": "b"}}]
	argocd.sources({"source": null}) == []
	argocd.sources({}) == []
}

test_a_project_is_found_by_its_name if {
	others := {"namespace": {"argocd": {
		"argoproj.io/v1alpha1": {"AppProject": {"prod": {"id": "project"}}},
		"example.org/v1": {"AppProject": {"prod": {"id": "another"}}},
	}}}
	argocd.project("prod") == {"id": "project"} with data.inventory as others
	not argocd.project("dev") with data.inventory as others
}

test_addresses_are_compared_as_argo_cd_does if {
	project := _project(["https://git.example.org/Platform/shop.git", "https://git.example.net/shop/*"], [])
	argocd.permits_source(project, "https://git.example.org/platform/shop")
	argocd.permits_source(project, "https://git.example.net/shop/orders.git")
	not argocd.permits_source(project, "https://git.example.net/shop/deep/orders.git")
	not argocd.permits_source(project, "https://git.example.org/platform/other")
	not argocd.permits_source(_project(null, []), "https://git.example.org/platform/other")
}

test_a_source_can_be_denied if {
	project := _project(["https://git.example.net/*", "!https://git.example.net/secret"], [])
	argocd.permits_source(project, "https://git.example.net/shop")
	not argocd.permits_source(project, "https://git.example.net/secret.git")
}

test_a_destination_is_a_cluster_and_a_namespace if {
	project := _project([], [{"name": "prod", "namespace": "shop"}, {"server": "https://dev.example.net", "namespace": "team-*"}])
	argocd.permits_destination(project, {"name": "prod", "namespace": "shop"})
	argocd.permits_destination(project, {"server": "https://dev.example.net", "namespace": "team-a"})
	not argocd.permits_destination(project, {"name": "prod", "namespace": "data"})
	not argocd.permits_destination(project, {"name": "dev", "namespace": "shop"})
	not argocd.permits_destination(project, {"name": "prod"})
	not argocd.permits_destination(project, {"namespace": "shop"})
}

test_a_destination_can_be_denied if {
	project := _project([], [
		{"name": "*", "namespace": "*"},
		{"name": "!prod", "namespace": "*"},
		{"name": "*", "namespace": "!kube-system"},
	])
	argocd.permits_destination(project, {"name": "dev", "namespace": "shop"})
	not argocd.permits_destination(project, {"name": "prod", "namespace": "shop"})
	not argocd.permits_destination(project, {"name": "dev", "namespace": "kube-system"})
}

test_unbalanced_brackets_stand_for_themselves if {
	argocd.matches("[a*", "[a*", null)
	not argocd.matches("[a*", "[ab", null)
	not argocd.matches(null, "a", null)
}
