"""Convert batch files of other providers to JSONL of `custom_id` and `body`."""
