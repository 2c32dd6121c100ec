# METADATA
# title: Services as backends
# description: What routes send requests to, and whether it is there.
package lib.backend

import data.lib.inventory

# METADATA
# description: >-
#   What is wrong with sending requests to a port of a Service in the namespace of `resource`, as a sentence; undefined
#   where all is well. The port is a number or a name; null where the route names none.
fault(resource, name, _) := sprintf("sends requests to Service %v, which does not exist; create it or name another", [name]) if {
	not _service(resource, name)
}

fault(resource, name, port) := text if {
	service := _service(resource, name)
	service.spec.type != "ExternalName"
	port != null
	not _has_port(service, port)
	text := sprintf("sends requests to port %v of Service %v, which has none of that number or name; use one of: %s", [
		port,
		name,
		concat(", ", sort([_port_text(one) | some one in service.spec.ports])),
	])
}

_service(resource, name) := object.union({"spec": {"type": "ClusterIP"}}, found) if {
	found := inventory.named_beside(resource, "", "Service", name)
}

_has_port(service, wanted) if {
	some port in service.spec.ports
	wanted in [port.port, object.get(port, "name", port.port)]
}

_port_text(port) := sprintf("%v (%v)", [port.port, port.name])

_port_text(port) := sprintf("%v", [port.port]) if {
	is_object(port)
	not port.name
}

# METADATA
# description: >-
#   The backends of an Ingress that are Services, each {path, name, port}, in the form of networking.k8s.io/v1 and in the
#   one before it (serviceName, servicePort). The port is null where it is left out.
of_ingress(ingress) := array.concat(
	[backend |
		some field in ["defaultBackend", "backend"]
		backend := _ingress_backend(ingress.spec[field], ["spec", field])
	],
	[backend |
		some number, rule in ingress.spec.rules
		some index, path in rule.http.paths
		backend := _ingress_backend(path.backend, ["spec", "rules", number, "http", "paths", index, "backend"])
	],
)

_ingress_backend(backend, path) := {
	"path": array.concat(path, ["service", "name"]),
	"name": object.get(backend.service, "name", ""),
	"port": _ingress_port(object.get(backend.service, "port", null)),
} if is_object(backend.service)

_ingress_backend(backend, path) := {
	"path": array.concat(path, ["serviceName"]),
	"name": backend.serviceName,
	"port": object.get(backend, "servicePort", null),
} if is_object(backend)

_ingress_port(port) := port.number if {
	port.number != null
} else := port.name if {
	port.name != null
} else := null
