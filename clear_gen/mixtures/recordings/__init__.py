"""What mixtures are made of: events and backgrounds from folders, tables and published corpora."""
