"""Statistics on arrays of logs; imports nothing of ours. docs/statistics.md."""
