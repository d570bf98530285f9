"""The record of what was intended and what came of it: an aid, never the truth.

`lines` is the format, `memory` folds lines into a frozen value for the planner, `file` appends durably and reads
what a crash may have torn, `lock` keeps one writer at a time on this host. Delete the folder and the tool works on
from the tags in the workspace alone, with the weaker promise.
"""
