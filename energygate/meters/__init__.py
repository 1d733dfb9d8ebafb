"""Sources of cumulative energy: RAPL, NVML, an estimate, a replay. docs/measuring.md."""
