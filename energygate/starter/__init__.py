"""First files for a project that has none of energygate's yet: what is found decides what is written."""
