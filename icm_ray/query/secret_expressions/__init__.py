"""Expressions on shares: how each function of columns is computed where nobody has the values."""
