"""Tests that share one embedded cluster. A package, so that pytest takes the cluster down after the last of them."""
