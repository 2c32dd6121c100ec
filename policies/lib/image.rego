# METADATA
# title: Image references
package lib.image

# METADATA
# description: >-
#   The parts of an image reference: {registry, repository, tag, digest}, absent ones empty. The registry is the part
#   before the first slash only if it has a dot or a colon or is `localhost`, so the colon of `host:5000/app` is a port and
#   no tag. Docker Hub's short names are written out: `redis` is `docker.io/library/redis`. Undefined for anything else
#   than a well-formed reference.
parse(reference) := parts if {
	is_string(reference)
	match := regex.find_all_string_submatch_n(_form, reference, 1)[0]
	named := _split_registry(match[1])
	parts := {
		"registry": named.registry,
		"repository": named.repository,
		"tag": match[2],
		"digest": match[3],
	}
	regex.match(_repository_form, parts.repository)
}

_form := `^([^@\s]+?)(?::([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@((?:sha256:[0-9a-f]{64})|(?:sha512:[0-9a-f]{128})))?$`

_repository_form := `^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$`

_host_form := `^(?:[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:]+\])(?::[0-9]+)?$`

_split_registry(path) := {"registry": host, "repository": rest} if {
	slash := indexof(path, "/")
	slash > 0
	host := substring(path, 0, slash)
	_is_host(host)
	regex.match(_host_form, host)
	rest := substring(path, slash + 1, -1)
	host != "docker.io"
} else := {"registry": "docker.io", "repository": _hub_repository(trim_prefix(path, "docker.io/"))}

_is_host("localhost")

_is_host(host) if contains(host, ".")

_is_host(host) if contains(host, ":")

_hub_repository(path) := path if {
	contains(path, "/")
} else := sprintf("library/%s", [path])
