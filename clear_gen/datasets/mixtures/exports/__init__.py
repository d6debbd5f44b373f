"""Datasets of mixtures in the layouts of others."""
