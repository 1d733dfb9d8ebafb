"""What is measured: commands and inference servers. docs/concepts.md."""
