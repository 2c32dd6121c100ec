"""Policies: the rules under ``policies/``, their waivers, and their evaluation by conftest. Python holds no rule."""
