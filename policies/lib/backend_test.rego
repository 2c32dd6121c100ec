package lib.backend_test

import data.lib.backend

_route := {"kind": "Ingress", "metadata": {"name": "shop", "namespace": "shop"}}

_service(spec) := {"kind": "Service", "metadata": {"name": "gateway"}, "spec": spec}

_fault(spec, name, port) := text if {
	inventory := {"namespace": {"shop": {"v1": {"Service": {"gateway": _service(spec)}}}}}
	text := backend.fault(_route, name, port) with data.inventory as inventory
}

_fault_without_spec(port) := text if {
	inventory := {"namespace": {"shop": {"v1": {"Service": {"gateway": {"kind": "Service"}}}}}}
	text := backend.fault(_route, "gateway", port) with data.inventory as inventory
}

_ports := {"ports": [{"name": "http", "port": 80}, {"port": 81}]}

test_a_port_by_number_or_name if {
	every port in [80, 81, "http", null] {
		not _fault(_ports, "gateway", port)
	}
}

test_a_service_outside_has_no_ports_of_ours if {
	not _fault({"type": "ExternalName", "externalName": "example.org"}, "gateway", 443)
}

test_what_is_not_there_is_named if {
	_fault(_ports, "gatewy", 80) == "sends requests to Service gatewy, which does not exist; create it or name another"
	_fault(_ports, "gateway", "https") == concat(" ", [
		"sends requests to port https of Service gateway, which has none of that number or name;",
		"use one of: 80 (http), 81",
	])
	_fault({"ports": null}, "gateway", 80)
	_fault_without_spec(80)
	_fault(_ports, null, 80)
}

_backends(spec) := [[one.path, one.name, one.port] | some one in backend.of_ingress({"spec": spec})]

test_backends_of_an_ingress if {
	_backends({
		"defaultBackend": {"service": {"name": "a", "port": {"number": 80}}},
		"rules": [
			{"host": "x"},
			{"http": {"paths": [
				{"backend": {"service": {"name": "b", "port": {"name": "http"}}}},
				{"backend": {"service": {}}},
				{"backend": {"resource": {"kind": "Bucket"}}},
				{"backend": null},
			]}},
		],
	}) == [
		[["spec", "defaultBackend", "service", "name"], "a", 80],
		[["spec", "rules", 1, "http", "paths", 0, "backend", "service", "name"], "b", "http"],
		[["spec", "rules", 1, "http", "paths", 1, "backend", "service", "name"], "", null],
	]
}

test_backends_as_they_were_written_before if {
	_backends({
		"backend": {"serviceName": "a", "servicePort": 80},
		"rules": [{"http": {"paths": [{"backend": {"serviceName": "b"}}]}}],
	}) == [
		[["spec", "backend", "serviceName"], "a", 80],
		[["spec", "rules", 0, "http", "paths", 0, "backend", "serviceName"], "b", null],
	]
}
