"""Requests to a model server as a benchmark: what is asked is fixed, what it costs is measured."""
