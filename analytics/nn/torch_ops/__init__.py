"""Translations of torch's operations into layers: one table for each family."""
