# METADATA
# title: Clients of a database
# description: >-
#   Which database server a container of ours talks to, and with how many connections, from the variables of its
#   environment that the services read.
package lib.client

import data.lib.inventory
import data.lib.selector
import data.lib.workload

# METADATA
# description: >-
#   The names under which an object's pods are reached through the Services of its namespace, those without the namespace
#   left out.
hosts(resource) := {name |
	some service in inventory.beside(resource, "", "Service")
	labels := service.spec.selector
	labels != {}
	selector.matches({"matchLabels": labels}, workload.pod_labels(resource))
	short := sprintf("%s.%s", [service.metadata.name, inventory.namespace(resource)])
	some ending in ["", ".svc", ".svc.cluster.local"]
	name := concat("", [short, ending])
}

# METADATA
# description: >-
#   The server of a container, always with its namespace; undefined where it names none. A name without a dot is one of
#   the container's own namespace.
host(resource, container) := found if {
	found := value(resource, container, "DATABASE_HOST")
	contains(found, ".")
} else := sprintf("%s.%s", [value(resource, container, "DATABASE_HOST"), inventory.namespace(resource)])

# METADATA
# description: How many connections a container may open; `otherwise` where it says nothing of its pool.
pool(resource, container, otherwise) := size + overflow if {
	size := _number(value(resource, container, "DATABASE_POOL_SIZE"))
	overflow := _number(value(resource, container, "DATABASE_POOL_OVERFLOW"))
} else := otherwise

# METADATA
# description: >-
#   What a variable of a container is: stated, or from a ConfigMap beside it; undefined where neither says. Its own entry
#   goes before whole ConfigMaps, and of these the last.
value(resource, container, name) := found if {
	found := _last([variable.value | some variable in _named(container, name)])
} else := found if {
	found := _last([text |
		some variable in _named(container, name)
		reference := variable.valueFrom.configMapKeyRef
		text := inventory.named_beside(resource, "", "ConfigMap", reference.name).data[reference.key]
	])
} else := _last([text |
	some source in container.spec.envFrom
	text := inventory.named_beside(resource, "", "ConfigMap", source.configMapRef.name).data[name]
])

_named(container, name) := [variable |
	some variable in container.spec.env
	variable.name == name
]

# What is no string is no variable, and no number is read from it.
_last(values) := texts[count(texts) - 1] if {
	texts := [text | some text in values; is_string(text)]
}

_number(text) := to_number(text) if regex.match(`^[0-9]+$`, text)
