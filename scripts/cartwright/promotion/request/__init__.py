"""Landing a promotion through a pull or merge request."""
