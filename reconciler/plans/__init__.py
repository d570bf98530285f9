"""A plan as a document: saved, loaded, compared with a newer plan, and what came of it."""
