"""What is known of the API without asking it: models, and the fields of request bodies. It ages; the API decides."""
