"""Figures that the docs quote, as ratios against the plain way of doing it, measured in one run."""
