"""Predictions for single images over HTTP: a gateway in its owner's own Ray cluster."""
