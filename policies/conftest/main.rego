# METADATA
# title: The rules under conftest
# description: >-
#   Gives each rule what Gatekeeper would: the object as `input.review.object`, the rule's parameters, and the other
#   objects as `data.inventory`; a rule across environments reads `input.environment` and `data.fleet` besides.
#   `cartwright.policy.adapter` makes both documents read here:
#     input.fleets   arrays of {facts, realms}; a realm is {name, upstreams, asked, entries}, an entry {share, path, index,
#                    item, kind, object}; objects of a realm see each other, and no others
#     data.run       {share, rules: {package: {id, severity}}, asked: {key: {"group/Kind": [{parameters, rules: [package]}]}}}
#   Of the objects those of one share are judged, so that several processes can divide the work; all of them are seen.
#   The last result is no finding: it counts what was evaluated, so that nothing evaluated cannot pass for nothing wrong.
package main

import data.lib.digests
import data.lib.inventory
import data.lib.netpol
import data.lib.pods
import data.lib.report

deny contains result if {
	some fleet in input.fleets
	environments := {realm.name: {"inventory": _inventory(realm.entries), "upstreams": realm.upstreams} |
		some realm in fleet.realms
	}
	together := {
		"order": [realm.name | some realm in fleet.realms],
		"environments": environments,
		"facts": fleet.facts,
	}
	some realm in fleet.realms
	others := environments[realm.name].inventory
	some result in _found(realm) with data.inventory as others with data.fleet as together
}

deny contains {"msg": "evaluated", "evaluated": evaluated} if {
	evaluated := {
		"objects": count([entry.path |
			some fleet in input.fleets
			some realm in fleet.realms
			some entry in realm.entries
			entry.share == data.run.share
		]),
		"rules": [rule.id |
			some name, rule in data.run.rules
			is_set(data.cartwright.rules[name].violation)
		],
	}
}

_found(realm) := [result |
	kinds := data.run.asked[realm.asked]
	some entry in realm.entries
	entry.share == data.run.share
	some batch in kinds[entry.kind]
	request := {
		"review": {"object": entry.object},
		"parameters": batch.parameters,
		"environment": realm.name,
	}
	some [name, violation] in _violations(batch.rules) with input as request
	rule := data.run.rules[name]
	result := {
		"msg": violation.msg,
		"rule": rule.id,
		"severity": rule.severity,
		"details": violation.details,
		"resource": _identity(entry.object),
		"realm": realm.name,
		"path": entry.path,
		"index": entry.index,
		"item": entry.item,
	}
]

# Rules that are asked together share what they compute of the object; each `with input` would start anew.
_violations(names) := [[name, violation] |
	some name in names
	some violation in data.cartwright.rules[name].violation
]

# The shape is Gatekeeper's: namespace[namespace][apiVersion][kind][name] and cluster[apiVersion][kind][name]; `index` is
# what only saves time.
# Positions are merged instead of objects: of two objects with one identity the last counts, never a blend of both.
_inventory(entries) := {
	"namespace": {namespace: _resolve(entries, versions) |
		some namespace, versions in positions.namespace
	},
	"cluster": _resolve(entries, object.get(positions, "cluster", {})),
	"index": {
		"digests": digests.index(objects),
		"pods": pods.index(objects),
		"policies": netpol.index(objects),
	},
} if {
	positions := object.union_n([_place(entry.object, position) | some position, entry in entries])
	objects := [entry.object |
		some position, entry in entries
		_position(positions, entry.object) == position
	]
}

_position(positions, object) := positions.cluster[object.apiVersion][object.kind][report.name(object)] if {
	inventory.namespace(object) == ""
} else := positions.namespace[object.metadata.namespace][object.apiVersion][object.kind][report.name(object)]

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
