"""How programs are dealt and run: steps, blocks, rounds, who is corrected, threads."""
