"""A plan as a document: saved, loaded, compared with a newer plan, and its outcomes."""
