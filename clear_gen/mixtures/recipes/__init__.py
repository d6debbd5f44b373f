"""The ways to draw and combine mixtures: one file each, one row each in the registry."""
