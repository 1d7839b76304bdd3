"""Carries lanes: threads, processes, Ray actors; sessions."""
