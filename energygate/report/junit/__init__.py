"""JUnit XML, as test dashboards read it (docs/exports.md#junit-xml)."""

from energygate.report.junit.document import render_junit

__all__ = ["render_junit"]
