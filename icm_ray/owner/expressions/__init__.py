"""Owners evaluate expressions over their own rows, a batch at a time, with pyarrow.compute and numpy."""
