"""Landing a promotion: its commit, and the branch of a work tree or a remote that takes it."""
