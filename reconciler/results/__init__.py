"""The results of ended jobs: downloaded once into a tree by name and run, and joined with their inputs.

`paths` names the files, `store` writes them (to a folder, or through `object_store` to an object store), `leases` gives
one runner exclusive access to a job, `download` fetches a file, `inputs` finds the inputs, `join` joins results with
them, `job_download` does all of it for one job and `pull` for many.
"""
