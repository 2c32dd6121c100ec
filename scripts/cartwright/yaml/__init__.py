"""Reading YAML with line numbers, validating our own files, and edits that leave every other byte as it was."""
