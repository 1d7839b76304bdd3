"""Workloads that other engines are measured on too, and the run that times them."""
