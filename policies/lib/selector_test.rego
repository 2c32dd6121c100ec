package lib.selector_test

import data.lib.selector

_labels := {"app": "catalog", "tier": "api"}

_expressions(list) := {"matchExpressions": list}

test_selectors_that_match if {
	every wanted in [
		{},
		{"matchLabels": null, "matchExpressions": null},
		{"matchLabels": {"app": "catalog"}},
		{"matchLabels": {"app": "catalog", "tier": "api"}},
		_expressions([{"key": "app", "operator": "In", "values": ["orders", "catalog"]}]),
		_expressions([{"key": "app", "operator": "NotIn", "values": ["orders"]}]),
		_expressions([{"key": "zone", "operator": "NotIn", "values": ["a"]}]),
		_expressions([{"key": "app", "operator": "Exists"}]),
		_expressions([{"key": "zone", "operator": "DoesNotExist"}]),
	] {
		selector.matches(wanted, _labels)
	}
}

test_selectors_that_do_not_match if {
	every wanted in [
		null,
		"app",
		[],
		{"matchLabels": {"app": "orders"}},
		{"matchLabels": {"app": "catalog", "zone": "a"}},
		_expressions([{"key": "app", "operator": "In", "values": ["orders"]}]),
		_expressions([{"key": "zone", "operator": "In", "values": ["a"]}]),
		_expressions([{"key": "app", "operator": "NotIn", "values": ["catalog"]}]),
		_expressions([{"key": "zone", "operator": "Exists"}]),
		_expressions([{"key": "app", "operator": "DoesNotExist"}]),
		_expressions([{"key": "app", "operator": "Exists"}, {"key": "zone", "operator": "Exists"}]),
		_expressions([{"key": "app", "operator": "Like"}]),
		_expressions([{"operator": "DoesNotExist"}]),
		_expressions([{"operator": "NotIn", "values": ["a"]}]),
		_expressions([{"key": "app", "operator": "NotIn", "values": null}]),
		_expressions([null]),
	] {
		not selector.matches(wanted, _labels)
	}
}
