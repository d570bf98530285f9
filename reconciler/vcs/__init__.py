"""What git, GitHub and GitLab know about the checkout."""
