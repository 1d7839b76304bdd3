"""Pure: cuts data into partitions, sizes and places lanes."""
