"""The workers of a lane: a party, the dealer, an external owner. Knows no driver and no Ray."""
