"""Datasets of scenes in the layouts of others."""
