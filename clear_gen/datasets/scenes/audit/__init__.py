"""``clear-gen audit``: figures of a dataset's questions as a table, as JSON and as a page."""
