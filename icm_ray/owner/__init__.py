"""Reads an owner's tables, aggregates locally, shares inputs, receives results."""
