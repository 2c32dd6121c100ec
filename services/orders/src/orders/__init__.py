"""Orders of the shop: placed at catalog's prices, then paid, shipped or cancelled."""
