"""The rules of the planner, one module per step. `planner` lists them."""
