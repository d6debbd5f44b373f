"""A dataset on disk: layout, identity, generation in chunks, card, loading, figures."""
