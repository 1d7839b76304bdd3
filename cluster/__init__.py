"""Around the engine: the command line, local runs, deployment, benchmarks."""
