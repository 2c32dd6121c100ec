"""The public API of the shop, in front of catalog and orders."""
