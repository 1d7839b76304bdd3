"""The driver of lanes: assembles, runs, recovers, whatever carries the workers."""
