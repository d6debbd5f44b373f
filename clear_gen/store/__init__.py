"""The engine that writes, resumes, finishes, checks and publishes datasets; it knows no kind of record."""
