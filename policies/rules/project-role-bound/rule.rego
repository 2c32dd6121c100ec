# METADATA
# title: Project roles have a group and list their actions
# description: >-
#   A role without a group is unused until somebody makes a token for it. A policy with the action `*` lets its holders
#   delete, override and open shells although they should only sync.
# related_resources:
#   - ref: https://argo-cd.readthedocs.io/en/stable/user-guide/projects/#project-roles
#     description: Argo CD on roles of a project
# custom:
#   id: project-role-bound
#   severity: error
#   scope: hub
#   kinds: [{group: argoproj.io, kind: AppProject}]
#   remedy: Bind the role to a group of the identity provider, and write a policy line for each action.
package cartwright.rules.project_role_bound

import data.lib.report

violation contains report.at(input.review.object, ["spec", "roles", index, "groups"], text) if {
	some index, role in input.review.object.spec.roles
	is_object(role)
	not _is_bound(role)
	text := sprintf("the role %v is bound to no group; add groups, or remove the role", [object.get(role, "name", index)])
}

violation contains report.at(input.review.object, ["spec", "roles", index, "policies", number], text) if {
	some index, role in input.review.object.spec.roles
	some number, line in role.policies
	is_string(line)
	words := [trim_space(word) | some word in split(line, ",")]
	words[5] == "allow"
	words[3] == "*"
	text := sprintf("a policy of the role %v allows every action; write a line for each that is meant", [object.get(role, "name", index)])
}

_is_bound(role) if {
	is_array(role.groups)
	count(role.groups) > 0
}
