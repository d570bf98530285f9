"""Requests in virtual time: jobs have inputs, results, counts that lag, and files that come late, never, or go.

One name is declared, edited, applied by one or two runners, cancelled by people, pulled and killed. The tool's own code
runs from `plan_and_apply` down; only the API's client is replaced, by one that asks `api` without HTTP. Results are
real files. `promises` has one function for each promise, which asks the truth in `api`, never the code.

`python -m tests.simulation --requests --schedules N` plays many; with `--seed N` it prints the story of one.
"""
