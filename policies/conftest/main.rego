# METADATA
# title: The rules under conftest
# description: >-
#   Gives each rule what Gatekeeper would: the object as `input.review.object`, the rule's parameters, and the other
#   objects as `data.inventory`. `cartwright.policy.adapter` makes both documents read here:
#     input.scopes   arrays of {path, index, item, kind, object}; the objects of a scope see each other, and no others
#     data.run       {rules: {package: {id, severity, parameters}}, kinds: {"group/Kind": [package]}}
#   The last result is no finding: it counts what was evaluated, so that nothing evaluated cannot pass for nothing wrong.
package main

import data.lib.inventory
import data.lib.report

deny contains result if {
	run := data.run
	some entries in input.scopes
	others := _inventory(entries)
	some entry in entries
	some name in run.kinds[entry.kind]
	rule := run.rules[name]
	request := {"review": {"object": entry.object}, "parameters": rule.parameters}
	some violation in data.cartwright.rules[name].violation with input as request with data.inventory as others
	result := {
		"msg": violation.msg,
		"rule": rule.id,
		"severity": rule.severity,
		"details": violation.details,
		"resource": _identity(entry.object),
		"path": entry.path,
		"index": entry.index,
		"item": entry.item,
	}
}

deny contains {"msg": "evaluated", "evaluated": evaluated} if {
	evaluated := {
		"objects": sum([count(entries) | some entries in input.scopes]),
		"rules": [rule.id |
			some name, rule in data.run.rules
			is_set(data.cartwright.rules[name].violation)
		],
	}
}

# The shape is Gatekeeper's: namespace[namespace][apiVersion][kind][name] and cluster[apiVersion][kind][name].
# Positions are merged instead of objects: of two objects with one identity the last counts, never a blend of both.
_inventory(entries) := {
	"namespace": {namespace: _resolve(entries, versions) |
		some namespace, versions in positions.namespace
	},
	"cluster": _resolve(entries, object.get(positions, "cluster", {})),
} if {
	positions := object.union_n([_place(entry.object, position) | some position, entry in entries])
}

_place(object, position) := {"cluster": _leaf(object, position)} if {
	inventory.namespace(object) == ""
} else := {"namespace": {object.metadata.namespace: _leaf(object, position)}}

_leaf(object, position) := {object.apiVersion: {object.kind: {report.name(object): position}}}

_resolve(entries, versions) := {version: resolved |
	some version, kinds in versions
	resolved := {kind: named |
		some kind, positions in kinds
		named := {name: entries[position].object | some name, position in positions}
	}
}

_identity(object) := {
	"apiVersion": object.apiVersion,
	"kind": object.kind,
	"namespace": inventory.namespace(object),
	"name": report.name(object),
}
