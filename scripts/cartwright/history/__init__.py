"""Git's history as data: objects at a commit, the images that overlays pin, and what ran where since when."""
