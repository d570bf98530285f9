"""Facts about the API that ship with the package: models, and the fields of request bodies. The API decides."""
