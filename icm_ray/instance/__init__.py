"""One instance for each organisation: its key, its roster of peers, its catalogue, and its halves of lanes."""
