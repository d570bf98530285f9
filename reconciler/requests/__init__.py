"""Requests, the lines of inputs: their keys, what a job was asked, and which answer belongs to which request."""
