"""The API of Mistral AI as far as this tool needs it: batch jobs and files. No other package sends HTTP to it.

`client` has the classes that commands use: a `Reader`, or a `Writer` if the command may write. `wire` converts JSON
to the values of `reconciler.model` and `values`, `errors` sorts errors by remedy, `classify` the next step, `retry`
decides whether to retry and when, `transport` connects to the network or to an application in the process, `key` keeps
the API key out of logs and messages. Importing this package alone imports none of them.
"""

import sys
from typing import Any

# If rich is installed, httpx imports its own command line and rich with it: 45 ms for nothing. None marks the module
# as missing, as it is without that extra of httpx.
modules: dict[str, Any] = sys.modules
modules.setdefault("httpx._main", None)
