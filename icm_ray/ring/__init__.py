"""Z_2^64: arrays, fixed point, randomness, sharing, kernels, products."""
