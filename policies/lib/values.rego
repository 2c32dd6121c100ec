# METADATA
# title: Reading of values that may be missing or of another type
# description: >-
#   Every function here is total: a field that is missing, null or of the wrong type reads as the fallback.
#   A rule built on them cannot become undefined, and so pass, because an object is malformed.
package lib.values

# METADATA
# description: The value at `path` (an array of keys) in `value`; `fallback` where it is missing or null.
get(value, path, fallback) := found if {
	is_object(value)
	found := object.get(value, path, fallback)
	found != null
} else := fallback

# METADATA
# description: The object at `path`, or an empty one.
object_at(value, path) := as_object(get(value, path, {}))

# METADATA
# description: The array at `path`, or an empty one.
array_at(value, path) := as_array(get(value, path, []))

# METADATA
# description: The string at `path`, or an empty one.
string_at(value, path) := found if {
	found := get(value, path, "")
	is_string(found)
} else := ""

# METADATA
# description: The value itself if it is an object, or an empty one.
as_object(value) := value if {
	is_object(value)
} else := {}

# METADATA
# description: The value itself if it is an array, or an empty one.
as_array(value) := value if {
	is_array(value)
} else := []
