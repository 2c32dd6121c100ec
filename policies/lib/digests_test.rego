package lib.digests_test

import data.lib.digests
import data.lib.image

_a := "sha256:4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c"

_b := "sha256:9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f"

_pod(name, images) := {
	"apiVersion": "v1",
	"kind": "Pod",
	"metadata": {"name": name, "namespace": "shop"},
	"spec": {"containers": [{"image": one} | some one in images]},
}

_pods := [
	_pod("one", [sprintf("ghcr.io/example/catalog:1@%s", [_a]), sprintf("redis:7@%s", [_a]), "orders:1", null]),
	_pod("two", [sprintf("ghcr.io/example/catalog:2@%s", [_b])]),
	_pod("three", [sprintf("ghcr.io/example/catalog:2@%s", [_b]), sprintf("quay.io/example/catalog:2@%s", [_a])]),
]

_others := [{"apiVersion": "example.org/v1", "kind": "Pod", "spec": _pods[0].spec}, {"apiVersion": "v1", "kind": "ConfigMap"}]

_catalog := image.parse("ghcr.io/example/catalog")

_expected := {_a: {"Pod/one": true}, _b: {"Pod/two": true, "Pod/three": true}}

_scanned := {"namespace": {"shop": {"v1": {"Pod": {pod.metadata.name: pod | some pod in _pods}}}}}

test_found_by_looking_at_every_pod if {
	found := digests.running(_catalog) with data.inventory as _scanned
	found == _expected
	none := digests.running(image.parse("gateway")) with data.inventory as _scanned
	none == {}
}

test_found_in_the_index if {
	indexed := {"index": {"digests": digests.index(array.concat(_pods, _others))}}
	found := digests.running(_catalog) with data.inventory as indexed
	found == _expected
	none := digests.running(image.parse("gateway")) with data.inventory as indexed
	none == {}
}

test_an_index_of_nothing_is_empty if digests.index(_others) == {}
