"""Policies: the rules under ``policies/``, the waivers, and their evaluation by conftest. Python holds no rule itself."""
