"""From counters to trials: windows, warm-up, calibration, validity; the machine and the commit measured."""
