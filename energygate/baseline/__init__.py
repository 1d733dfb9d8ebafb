"""Stored runs: their file format and where they are kept."""
