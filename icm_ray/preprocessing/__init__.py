"""Randomness dealt ahead of time: kept on disk by each member, consumed once."""
