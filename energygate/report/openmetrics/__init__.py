"""The report as metrics, for Prometheus, node_exporter's textfile collector and the Pushgateway (docs/telemetry.md)."""

from energygate.report.openmetrics.document import FAMILIES, render_openmetrics

__all__ = ["FAMILIES", "render_openmetrics"]
