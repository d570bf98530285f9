"""The JSON that commands write, beside the plan."""
