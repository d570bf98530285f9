"""The rules of the planner, a module a step. The order is in `planner`."""
