"""Datasets of scenes and their questions."""
