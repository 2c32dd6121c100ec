# METADATA
# title: Quantities
# description: Kubernetes quantities, which manifests write as numbers or as texts.
package lib.quantity

# METADATA
# description: >-
#   The amount of a quantity: `0.5`, `"500m"`, `"5e-1"` are 0.5, `"1Ki"` is 1024. Undefined for what is no quantity.
amount(quantity) := quantity if is_number(quantity)

amount(quantity) := (_plain(number) * _multipliers[suffix]) / _divisors[suffix] if {
	is_string(quantity)
	some [_, number, suffix] in regex.find_all_string_submatch_n(_decimal, quantity, 1)
}

amount(quantity) := to_number(normal) if {
	is_string(quantity)
	some [_, mantissa, exponent] in regex.find_all_string_submatch_n(_exponential, quantity, 1)
	normal := sprintf("%ve%s", [_plain(mantissa), exponent])
}

# Kubernetes takes "5." and ".5" as well, which JSON's numbers are not.
_plain(number) := to_number(regex.replace(regex.replace(trim_prefix(number, "+"), `^(-?)\.`, "${1}0."), `\.$`, ""))

_decimal := `^([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|)$`

_exponential := `^([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))[eE]([+-]?[0-9]{1,2})$`

# Small units divide instead of multiplying by 0.001: only so is "100m" exactly 0.1.
_divisors := object.union({suffix: 1 | some suffix, _ in _multipliers}, {"n": 1000000000, "u": 1000000, "m": 1000})

_multipliers := {
	"n": 1,
	"u": 1,
	"m": 1,
	"": 1,
	"k": 1000,
	"M": 1000000,
	"G": 1000000000,
	"T": 1000000000000,
	"P": 1000000000000000,
	"E": 1000000000000000000,
	"Ki": 1024,
	"Mi": 1048576,
	"Gi": 1073741824,
	"Ti": 1099511627776,
	"Pi": 1125899906842624,
	"Ei": 1152921504606846976,
}

# METADATA
# description: >-
#   A value as a message shows it. Whole numbers stand in full: 1000000, which as a floating-point number would print as 1e+06.
shown(value) := format_int(value, 10) if {
	is_number(value)
	floor(value) == value
} else := value
