"""The fields of a spec, their JSON Schema, and messages about what does not match it."""
