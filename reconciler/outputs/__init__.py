"""The results of ended jobs: downloaded once into a tree by name, and joined with their inputs.

`place` finds the folder or the object store, `paths` names the files, `store` writes them, `leases` gives one runner
exclusive access, `download` fetches a file, `inputs` finds the inputs, `job_download` does all of it for one job and
`pull` for many, and `current` joins the results of a name.
"""
