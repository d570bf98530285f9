"""What requests cost: prices of models by day, and the costs of usage. Pure."""
