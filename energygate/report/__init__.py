"""Pure renderings of one GateReport: nothing is decided here, and nothing is written."""
