"""The rules of the planner, one module per step. The order is in `planner`."""
