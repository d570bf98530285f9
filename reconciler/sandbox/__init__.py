"""The sandbox: an embedded stand-in for Mistral's Batch and Files API.

It answers the calls of the real API over SQLite, without calling a model and without a bill. `make_app` in
`reconciler.sandbox.app` builds it, `serve` in `reconciler.sandbox.server` puts it on a port. Importing this
package alone imports nothing else, so that a command which never meets the sandbox does not pay for it.
"""

from __future__ import annotations

BUILT_IN_KEY = "built-in-sandbox-key"
"""The API key of runs inside the process: a real key is never given to the sandbox."""
