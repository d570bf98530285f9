"""The real code in virtual time, under every fault. A schedule follows from its seed, so that it can be replayed.

`play` runs one schedule: runners apply what git declares, through the real client, to the sandbox's real handlers.
`baton` lets one thread run at a time, so that the seed determines the order of all steps; `wire` decides the fate of
every request. `creating`, `stopping`, `twins` and `liveness` hold the promises, one named function each. `python -m
tests.simulation` runs many schedules, replays one, or prints the table of protocols.
"""
