"""Judging a tree: renderings, schemas, policies and files, each finding at its line of source."""
