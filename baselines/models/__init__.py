"""The models: one file per architecture, and the one registry that knows them by name."""
