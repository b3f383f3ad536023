"""Attacks on the data layer; benchmarks/faults.py runs them."""
