# METADATA
# title: Label selectors
# description: matchLabels and matchExpressions, as the API server reads them.
package lib.selector

import data.lib.values

# METADATA
# description: >-
#   True if the selector matches the labels. An empty selector matches everything, a missing one (null) nothing, and one
#   with an operator that does not exist nothing.
matches(selector, labels) if {
	is_object(selector)
	every key, value in values.object_at(selector, ["matchLabels"]) {
		labels[key] == value
	}
	every expression in values.array_at(selector, ["matchExpressions"]) {
		_holds(expression, labels)
	}
}

_holds(expression, labels) if {
	expression.operator == "In"
	labels[expression.key] in values.array_at(expression, ["values"])
}

_holds(expression, labels) if {
	expression.operator == "NotIn"
	not labels[expression.key] in values.array_at(expression, ["values"])
}

_holds(expression, labels) if {
	expression.operator == "Exists"
	_has(labels, expression.key)
}

_holds(expression, labels) if {
	expression.operator == "DoesNotExist"
	not _has(labels, expression.key)
}

_has(labels, key) if key in object.keys(labels)
