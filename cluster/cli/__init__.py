"""The `icm` command: one file for each of its commands."""
