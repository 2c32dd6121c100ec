"""Products of the shop, their prices and stock."""
