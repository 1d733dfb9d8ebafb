"""What decides, put to the test beside what others use: `benchmarks/operating_characteristics.py`."""
