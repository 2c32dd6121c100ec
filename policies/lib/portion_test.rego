package lib.portion_test

import data.lib.portion

test_numbers_are_themselves if {
	portion.of(0, 10) == 0
	portion.of(3, 10) == 3
}

test_percentages_are_rounded_up if {
	portion.of("0%", 10) == 0
	portion.of("25%", 10) == 3
	portion.of("100%", 3) == 3
}

test_percentages_are_rounded_down_where_it_is_asked if {
	portion.rounded_down(2, 10) == 2
	portion.rounded_down("0%", 10) == 0
	portion.rounded_down("25%", 3) == 0
	portion.rounded_down("34%", 3) == 1
	portion.rounded_down("100%", 3) == 3
	not _rounds_down("25")
	not _rounds_down(null)
}

_rounds_down(value) if _ := portion.rounded_down(value, 10)

test_other_values_mean_nothing if {
	every value in ["", "25", "%", "-5%", "2.5%", null, true, {}] {
		not _is_portion(value)
	}
}

_is_portion(value) if _ := portion.of(value, 10)
