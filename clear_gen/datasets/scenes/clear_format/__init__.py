"""The layout of the published CLEAR generator: export and import."""
