"""The results of ended jobs: fetched once, whole, into a tree by name and run, and joined with what was asked.

`places` names the tree, `store` is where it stands (a folder, or through `objects` an object store), `claims` lets one
runner have a job to itself, `fetch` brings a file, `questions` finds the inputs, `join` puts answers beside them, and
`pull` does all of it for many jobs.
"""
