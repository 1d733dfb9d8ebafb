"""Base and head measured in turn: a command at a revision and in the working tree, and suspects once more."""
