"""The tasks of the benchmark: one folder each."""
