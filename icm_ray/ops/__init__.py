"""The operations as types, and the seams that others fill."""
