"""The history of this project's jobs, merged from the list of jobs, the ledger, pulled results and git. Pure.

`record` is one job, `ledger_index` indexes the ledger's lines, `merge` builds records from them and adds the other
sources, `timeline` lists the events of one spec, `audit` reports contradictions between the sources. The caller reads
the sources.
"""
