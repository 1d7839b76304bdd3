"""icm-ray: secure analytics over additive shares, distributed with Ray."""
