"""Counters that an exporter shows and a Prometheus server scrapes."""
