# METADATA
# title: Pods that will be there
# description: >-
#   The pods of a namespace as services and policies select them: those of the kinds that carry pods, and those that the
#   Prometheus operator makes of its own kinds, with the labels and ports that it gives them.
# related_resources:
#   - ref: https://prometheus-operator.dev/docs/platform/troubleshooting/
package lib.pods

import data.lib.inventory
import data.lib.selector
import data.lib.workload

# METADATA
# description: >-
#   The pods beside an object that a label selector matches, each {labels, ports}; a port is {name, number, protocol}, where
#   the name may be empty. Whoever keeps an index of them saves looking at every pod for every selector.
selected(resource, wanted) := [pod |
	some pod in _candidates(resource, wanted)
	selector.matches(wanted, pod.labels)
]

# METADATA
# description: The index over objects of any kind.
index(resources) := object.union_n([one |
	some position, resource in resources
	some pod in _made_by(resource)
	one := {inventory.namespace(resource): {
		"pods": {position: pod},
		"labels": {key: {value: {position: true}} | some key, value in pod.labels},
	}}
])

_candidates(resource, wanted) := [home.pods[position] | some position, _ in home.labels[label[0]][label[1]]] if {
	home := inventory.index("pods")[inventory.namespace(resource)]
	label := [[key, value] | some key, value in wanted.matchLabels][0]
} else := [pod | some pod in home.pods] if {
	home := inventory.index("pods")[inventory.namespace(resource)]
} else := [] if {
	inventory.index("pods")
} else := [pod |
	some owner in array.concat(inventory.pods_beside(resource), _operated_beside(resource))
	some pod in _made_by(owner)
]

_operated_beside(resource) := [owner |
	some kind, _ in _operated
	some owner in inventory.beside(resource, "monitoring.coreos.com", kind)
]

_made_by(owner) := [{"labels": workload.pod_labels(owner), "ports": ports(owner)}] if {
	inventory.carries_pods(owner)
} else := [{"labels": _operated_labels(owner, made), "ports": made.ports}] if {
	startswith(owner.apiVersion, "monitoring.coreos.com/")
	made := _operated[owner.kind]
} else := []

# METADATA
# description: The ports that the containers of an object declare; sidecars are among them, ended init containers are not.
ports(owner) := [port |
	some container in workload.long_running(owner)
	some declared in container.spec.ports
	is_object(declared)
	port := {
		"name": object.get(declared, "name", ""),
		"number": object.get(declared, "containerPort", 0),
		"protocol": object.get(declared, "protocol", "TCP"),
	}
]

_operated := {
	"Alertmanager": {
		"labels": {"app.kubernetes.io/name": "alertmanager"},
		"named": "alertmanager",
		"ports": [
			{"name": "web", "number": 9093, "protocol": "TCP"},
			{"name": "mesh-tcp", "number": 9094, "protocol": "TCP"},
			{"name": "mesh-udp", "number": 9094, "protocol": "UDP"},
			{"name": "reloader-web", "number": 8080, "protocol": "TCP"},
		],
	},
	"Prometheus": {
		"labels": {"app.kubernetes.io/name": "prometheus"},
		"named": "prometheus",
		"ports": [
			{"name": "web", "number": 9090, "protocol": "TCP"},
			{"name": "reloader-web", "number": 8080, "protocol": "TCP"},
		],
	},
}

_operated_labels(owner, made) := object.union_n([
	made.labels,
	{
		"app.kubernetes.io/instance": owner.metadata.name,
		"app.kubernetes.io/managed-by": "prometheus-operator",
		made.named: owner.metadata.name,
	},
	_own_labels(owner),
])

_own_labels(owner) := labels if {
	labels := owner.spec.podMetadata.labels
	is_object(labels)
} else := {}
