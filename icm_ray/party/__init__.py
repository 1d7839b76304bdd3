"""Runs programs on one party's shares, after its policy agreed."""
