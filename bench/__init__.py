"""Benchmarks a user can run; each prints ratios measured in one run, as bare times differ by machine."""
