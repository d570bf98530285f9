"""What the API holds: jobs and uploads, listed, sorted by owner, saved as a snapshot."""
