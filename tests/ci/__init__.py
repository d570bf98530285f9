"""The workflows, the action and their documentation: checked, and played from their own files."""
