"""Functions made of operations: activations, functions of rows, reciprocals."""
