"""Networks: import of torch modules into graphs of layers. Importing this package does not import torch."""
