"""GitOps for batch inference on Mistral AI."""

__version__ = "0.1.0"
