"""The checkout, as git, GitHub and GitLab describe it."""
