"""Tests that share one real node. A package, so that pytest takes it down after the last of them."""
