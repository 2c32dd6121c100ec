# METADATA
# title: Argo CD's own objects
# description: Applications and AppProjects, read as Argo CD does.
# related_resources:
#   - ref: https://argo-cd.readthedocs.io/en/stable/user-guide/projects/
package lib.argocd

# METADATA
# description: >-
#   The sources of an Application's spec, or of the spec in an ApplicationSet's template, each {path, source}; `path`
#   leads there from the spec.
sources(spec) := array.concat(
	[{"path": ["source"], "source": spec.source} | is_object(spec.source)],
	[{"path": ["sources", index], "source": source} |
		some index, source in spec.sources
		is_object(source)
	],
)

# METADATA
# description: The AppProject of that name; undefined where there is none.
project(name) := [found |
	some versions in data.inventory.namespace
	some version, kinds in versions
	startswith(version, "argoproj.io/")
	found := kinds.AppProject[name]
][0]

# METADATA
# description: True if the project lets its Applications read from this repository.
permits_source(found, repository) if {
	patterns := found.spec.sourceRepos
	some pattern in patterns
	matches(_address(pattern), _address(repository), ["/"])
	not _denied(patterns, repository)
}

_denied(patterns, repository) if {
	some pattern in patterns
	matches(_address(_refused(pattern)), _address(repository), ["/"])
}

# Argo CD compares addresses without case and without the ending that Git does not need.
_address(repository) := trim_suffix(lower(repository), ".git") if is_string(repository)

# METADATA
# description: >-
#   True if the project lets its Applications deploy there: some entry fits the cluster, by name or by server, and the
#   namespace, and no entry that begins with an exclamation mark does.
permits_destination(found, destination) if {
	some entry in found.spec.destinations
	_reaches(entry, destination)
	not _refuses(found.spec.destinations, destination)
}

_reaches(entry, destination) if {
	some field in ["name", "server"]
	matches(entry[field], destination[field], null)
	matches(entry.namespace, object.get(destination, "namespace", ""), null)
}

_refuses(entries, destination) if {
	some entry in entries
	some field in ["name", "server"]
	matches(_refused(entry[field]), destination[field], null)
	matches(entry.namespace, object.get(destination, "namespace", ""), null)
}

_refuses(entries, destination) if {
	some entry in entries
	some field in ["name", "server"]
	matches(entry[field], destination[field], null)
	matches(_refused(entry.namespace), object.get(destination, "namespace", ""), null)
}

# What an entry that begins with an exclamation mark refuses.
_refused(pattern) := substring(pattern, 1, -1) if {
	is_string(pattern)
	startswith(pattern, "!")
}

# METADATA
# description: >-
#   True if a text fits a pattern with `*` and `?`, which do not cross the delimiters. Brackets and braces, which may be
#   unbalanced, stand for themselves.
matches(pattern, text, _) if {
	is_string(pattern)
	pattern == text
}

matches(pattern, text, delimiters) if {
	is_string(pattern)
	is_string(text)
	regex.match(`^[^\[\]{}\\]*[*?][^\[\]{}\\]*$`, pattern)
	glob.match(pattern, delimiters, text)
}
