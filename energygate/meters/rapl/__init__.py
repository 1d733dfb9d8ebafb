"""RAPL: the energy counters of processors and their memory."""
