"""The repository as data: files at a ref, environments, applications, their closure and their rendering."""
