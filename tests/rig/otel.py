"""The environment of OpenLLMetry's instrumentation (`make .venv/.otel`), in which tests run real clients."""

import sys
from pathlib import Path

PYTHON = Path(sys.prefix) / "otel/bin/python"


def missing():
    """What is not here, or None."""
    return None if PYTHON.exists() else f"environment {PYTHON.parent.parent} (make .venv/.otel)"
