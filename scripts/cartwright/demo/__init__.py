"""What this repository does, shown on the embedded cluster by the commands that a person would type."""
