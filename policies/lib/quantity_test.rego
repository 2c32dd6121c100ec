package lib.quantity_test

import data.lib.quantity

test_quantities_as_numbers_and_texts if {
	amounts := {
		"1": 1,
		"0.5": 0.5,
		"500m": 0.5,
		"1k": 1000,
		"1Ki": 1024,
		"0.5Gi": 536870912,
		"2M": 2000000,
		"1e3": 1000,
		"5E-1": 0.5,
		"-1": -1,
		"+2": 2,
		"1E": 1000000000000000000,
		"3n": 0.000000003,
		".5": 0.5,
		"5.": 5,
		"-.5Gi": -536870912,
		"+1.5Ki": 1536,
		".5e1": 5,
	}
	every text, amount in amounts {
		quantity.amount(text) == amount
	}
	quantity.amount(0.1) == 0.1
	quantity.amount("100m") == quantity.amount("0.1")
	quantity.amount("1100m") == quantity.amount(1.1)
}

test_other_values_are_no_quantities if {
	every value in ["", "1GB", "1 Gi", "Gi", ".", ".5.", "-", "+-1", ".Gi", "1mi", "0x10", "1e", "1e999", null, true, [], {}] {
		not _is_quantity(value)
	}
}

_is_quantity(value) if _ := quantity.amount(value)

test_whole_numbers_are_shown_in_full if {
	quantity.shown(2592000) == "2592000"
	quantity.shown(1e6) == "1000000"
	quantity.shown(2.5) == 2.5
	quantity.shown("3") == "3"
	quantity.shown(null) == null
}
