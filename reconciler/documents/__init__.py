"""The JSON documents that commands write, except the plan."""
