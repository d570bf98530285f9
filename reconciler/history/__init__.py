"""What ever happened to our jobs: the list of jobs, the ledger, pulled results and git, put together. Pure.

`record` is one job as all sources know it, `told` sorts the ledger's lines, `rows` puts the sources together, `choose`
filters, `stats` counts, `story` tells one spec's course, `verify` says what does not add up. Whoever calls has read
everything; nothing here does.
"""
