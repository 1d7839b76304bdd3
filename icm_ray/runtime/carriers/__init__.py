"""What carries workers: threads, processes, Ray actors."""
