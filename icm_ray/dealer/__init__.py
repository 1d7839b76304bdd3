"""The dealer: makes correlated randomness, hears nothing."""
