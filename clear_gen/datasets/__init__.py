"""The kinds of datasets, each built by the engine of ``store``."""
