"""The API of Mistral AI as this tool needs it: batch jobs and files. The only place that speaks HTTP.

`client` holds what a command is given: a `Reader`, or a `Writer` where it may write. `wire` folds JSON into the
values of `reconciler.model` and `values`, `errors` sorts what can go wrong by remedy, `retry` decides when
asking again is worth it, `transport` makes the real connection or one into the process itself, `key` keeps the
API key out of sight. Importing this package alone imports none of them.
"""

import sys
from typing import Any

# httpx imports its own command line, and rich with it, wherever rich is installed: 45 ms that nobody needs here. None
# says that there is none, which is what it finds without its extra.
modules: dict[str, Any] = sys.modules
modules.setdefault("httpx._main", None)
