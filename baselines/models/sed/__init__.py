"""Networks that learn sound events from weak labels: one file per architecture."""
