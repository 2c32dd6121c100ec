# METADATA
# title: Numbers that may be percentages
# description: Fields such as maxUnavailable take a number (`1`) or a percentage as text (`"25%"`).
package lib.portion

# METADATA
# description: >-
#   How many of `total` a number or percentage means; percentages are rounded up, as the disruption controller does.
#   Undefined for anything else.
of(value, _) := value if is_number(value)

of(value, total) := ceil((_percentage(value) * total) / 100)

# METADATA
# description: The same, with percentages rounded down, as a Deployment reads its maxUnavailable.
rounded_down(value, _) := value if is_number(value)

rounded_down(value, total) := floor((_percentage(value) * total) / 100)

_percentage(value) := to_number(digits) if {
	is_string(value)
	some [_, digits] in regex.find_all_string_submatch_n(`^([0-9]+)%$`, value, 1)
}
