"""The shell of report pages."""
