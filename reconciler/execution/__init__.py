"""Carries out a plan: uploads, creates, cancels, and the search for duplicates."""
