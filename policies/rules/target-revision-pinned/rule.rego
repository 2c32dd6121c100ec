# METADATA
# title: Applications follow one explicit revision
# description: >-
#   HEAD is whatever the host's default branch is today, a plain name may be a branch or a tag, and a range of chart
#   versions moves by itself: what runs is then no longer what was reviewed.
# related_resources:
#   - ref: https://argo-cd.readthedocs.io/en/stable/user-guide/tracking_strategies/
#     description: Argo CD on what a targetRevision may be
# custom:
#   id: target-revision-pinned
#   severity: error
#   scope: hub
#   kinds:
#     - {group: argoproj.io, kind: Application}
#     - {group: argoproj.io, kind: ApplicationSet}
#   remedy: >-
#     Write the full revision, such as refs/heads/main, refs/tags/v1.2.3 or a commit's full id; for a chart its exact
#     version.
package cartwright.rules.target_revision_pinned

import data.lib.argocd
import data.lib.report

violation contains report.at(input.review.object, path, text) if {
	some at in [["spec"], ["spec", "template", "spec"]]
	some found in argocd.sources(object.get(input.review.object, at, {}))
	revision := object.get(found.source, "targetRevision", "")
	not _is_filled_in(revision)
	not _is_pinned(found.source, revision)
	path := array.concat(at, array.concat(found.path, ["targetRevision"]))
	text := sprintf("targetRevision %s; %s", [_shown(revision), _remedy(found.source)])
}

violation contains report.at(input.review.object, ["spec", "generators", index, "git", "revision"], text) if {
	some index, generator in input.review.object.spec.generators
	is_object(generator.git)
	revision := object.get(generator.git, "revision", "")
	not _is_ref(revision)
	text := sprintf("the generator's revision %s; write refs/heads/main", [_shown(revision)])
}

# A template's revision is judged where it is filled in: in the Application.
_is_filled_in(revision) if {
	input.review.object.kind == "ApplicationSet"
	is_string(revision)
	contains(revision, "{{")
}

_is_pinned(source, revision) if {
	not _is_chart(source)
	_is_ref(revision)
}

_is_pinned(source, revision) if {
	_is_chart(source)
	is_string(revision)
	regex.match(`^v?[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`, revision)
}

_is_chart(source) if {
	is_string(source.chart)
	source.chart != ""
}

_is_ref(revision) if {
	is_string(revision)
	regex.match(`^(refs/(heads|tags)/[^*\s]+|[0-9a-f]{40})$`, revision)
}

_remedy(source) := "write the chart's exact version, such as 1.2.3" if {
	_is_chart(source)
} else := "write refs/heads/main, a tag as refs/tags/v1.2.3, or a commit's full id"

_shown("") := "is missing, so it is HEAD"

_shown(null) := "is empty, so it is HEAD"

_shown(revision) := sprintf("%v does not say one revision", [revision]) if not revision in {"", null}
