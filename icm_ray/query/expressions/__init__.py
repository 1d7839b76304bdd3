"""Expressions over the columns of one row: data, a typing rule for each function, and the words a user would write."""
