"""The results of ended jobs: downloaded once, into a tree by name and run, and joined with their inputs.

`paths` names the tree, `store` is where it is (a folder, or through `object_store` an object store), `leases` gives one
runner exclusive access to a job, `download` fetches a file, `inputs` finds the inputs, `join` joins results with them,
and `pull` does all of it for many jobs.
"""
