"""The sandbox: a local replacement for Mistral's Batch and Files API.

It answers the calls of the real API from SQLite, without models and without charges. `make_app` in
`reconciler.sandbox.app` builds it, `Server` in `reconciler.sandbox.server` serves it on a port. Importing this
package alone imports nothing else, so that commands without the sandbox do not pay for it.
"""

from __future__ import annotations

BUILT_IN_KEY = "built-in-sandbox-key"
"""The API key for a sandbox in the process, which never gets a real key."""
