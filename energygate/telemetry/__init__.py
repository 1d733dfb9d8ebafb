"""Trials as OpenTelemetry spans and metrics, sent over OTLP/HTTP (docs/telemetry.md#otlp)."""
