"""Networks that answer questions: one file per architecture."""
