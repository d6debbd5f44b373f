"""Datasets of mixtures."""
