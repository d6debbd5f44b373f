"""The kinds of datasets: what each puts into the engine of ``store``."""
