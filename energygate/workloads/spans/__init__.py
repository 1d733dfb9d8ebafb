"""Tokens counted by OpenTelemetry spans that the work sends to us while it runs; their texts are never kept."""
