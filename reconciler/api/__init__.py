"""The API of Mistral AI as this tool needs it: batch jobs and files. The only place that speaks HTTP.

`client` holds what a command is given: a `Reader`, or a `Writer` where it may write. `wire` folds JSON into the
values of `reconciler.model` and `values`, `errors` sorts what can go wrong by remedy, `retry` decides when
asking again is worth it, `transport` makes the real connection or one into the process itself, `key` keeps the
API key out of sight. Importing this package alone imports none of them.
"""
