"""SQL as another face of the questions of frames: text is parsed and qualified by sqlglot, and what is allowed of it is
mapped to expressions, selections and statistics. Only this package knows sqlglot.
"""
