"""Networks as public data: the graph of layers, the public numbers of a model, and the programs that follow from them.

Pure: nothing here knows torch, a channel or a weight's value, so that every member of a session can derive a
prediction's program by itself.
"""
