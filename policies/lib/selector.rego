# METADATA
# title: Label selectors
# description: matchLabels and matchExpressions, as the API server reads them.
package lib.selector

# METADATA
# description: >-
#   True if the selector matches the labels. An empty selector matches everything, a missing one (null) nothing, and one
#   that is malformed or has an operator that does not exist nothing.
matches(selector, labels) if {
	is_object(selector)
	every key, value in _entries(selector, "matchLabels", {}) {
		labels[key] == value
	}
	every expression in _entries(selector, "matchExpressions", []) {
		_holds(expression, labels)
	}
}

_entries(selector, field, empty) := found if {
	found := selector[field]
	found != null
} else := empty

_holds(expression, labels) if {
	expression.operator == "In"
	_has_one_of(labels, expression.key, expression.values)
}

_holds(expression, labels) if {
	expression.operator == "NotIn"
	is_string(expression.key)
	is_array(expression.values)
	not _has_one_of(labels, expression.key, expression.values)
}

_holds(expression, labels) if {
	expression.operator == "Exists"
	_has(labels, expression.key)
}

_holds(expression, labels) if {
	expression.operator == "DoesNotExist"
	is_string(expression.key)
	not _has(labels, expression.key)
}

_has_one_of(labels, key, values) if labels[key] in values

_has(labels, key) if labels[key] == labels[key]
