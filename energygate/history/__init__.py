"""What stored runs say over time: the sessions that count, changes of level, accepted increases. Pure."""
