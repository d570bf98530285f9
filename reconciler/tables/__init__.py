"""Results as tables: one row for each request, with a column for each field of a structured answer."""
