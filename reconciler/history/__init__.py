"""The history of this project's jobs: list of jobs, ledger, pulled results and git, merged. Pure.

`record` is one job as all sources know it, `ledger_index` sorts the ledger's lines, `merge` joins the sources,
`filters` selects, `statistics` counts, `timeline` shows one spec's course, `audit` reports what does not add up. The
caller reads everything; nothing here does.
"""
