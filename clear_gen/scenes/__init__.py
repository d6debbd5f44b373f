"""Scene graphs: their domain, sampling and rendering."""
