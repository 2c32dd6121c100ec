package lib.image_test

import data.lib.image

_digest := "sha256:9f2d3c1e5a7b8d4c6e0f1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f"

_parsed(registry, repository, tag, digest) := {
	"registry": registry,
	"repository": repository,
	"tag": tag,
	"digest": digest,
}

test_short_name_is_docker_hubs_library if {
	image.parse("redis") == _parsed("docker.io", "library/redis", "", "")
}

test_user_name_is_on_docker_hub if {
	image.parse("bitnami/redis:7") == _parsed("docker.io", "bitnami/redis", "7", "")
}

test_docker_hub_by_its_name if {
	image.parse("docker.io/redis:7") == _parsed("docker.io", "library/redis", "7", "")
}

test_tag_and_digest if {
	reference := sprintf("ghcr.io/example/cartwright/catalog:1.4.2@%s", [_digest])
	image.parse(reference) == _parsed("ghcr.io", "example/cartwright/catalog", "1.4.2", _digest)
}

test_port_is_no_tag if {
	image.parse("host:5000/x") == _parsed("host:5000", "x", "", "")
}

test_port_and_tag if {
	image.parse("host:5000/x:1") == _parsed("host:5000", "x", "1", "")
}

test_localhost_is_a_registry if {
	image.parse("localhost/x:1") == _parsed("localhost", "x", "1", "")
}

test_address_is_a_registry if {
	image.parse("[2001:db8::1]:5000/x:1") == _parsed("[2001:db8::1]:5000", "x", "1", "")
}

test_malformed_references_are_none if {
	every reference in [
		"",
		"Redis:7",
		"redis:",
		"redis:7 ",
		"redis@sha256:abc",
		"redis@md5:0123",
		"/redis",
		"host:5000/",
		"$(IMAGE)",
		"a//b",
		5,
		null,
		["redis"],
	] {
		not _is_reference(reference)
	}
}

_is_reference(reference) if image.parse(reference)
