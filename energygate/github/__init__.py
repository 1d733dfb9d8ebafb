"""GitHub: what a workflow's event asks for, and the publishing of a report: comment, check run, workflow commands."""
