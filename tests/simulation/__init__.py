"""The real code in virtual time, under every fault: a schedule is a number, and replays from it.

`play` runs one schedule: runners apply what git declares, through the real client, to the sandbox's real handlers.
`baton` makes one thread of many, so that the order of everything is the seed's; `wire` decides the fate of every
request; `safety` and `liveness` are the promises, each a function with a name. `python -m tests.simulation` runs as
many schedules as wanted, replays one, and prints the table of protocols.
"""
