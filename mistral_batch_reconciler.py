"""The entry of the installed commands. It is outside of the package `reconciler`, so that it can report its loss.

Another distribution may install a package of the same name over that one; imports of it then fail, or run other code.
"""

from __future__ import annotations

import sys
from pathlib import Path

DISTRIBUTION = "mistral-batch-reconciler"


def main() -> None:
    """Run the command line. If an import fails, look for files that another package has replaced."""
    try:
        from reconciler.__main__ import main as run

        run()
    except (ImportError, AttributeError):
        changed = replaced()
        if changed is None:
            raise
        sys.exit(
            f"error: {changed} is missing or not as pip installed it: another package has replaced files of this tool\n"
            f"  hint: install {DISTRIBUTION} into a new environment; the package `reconciler` on PyPI is another tool"
        )


def replaced() -> Path | None:
    """Return the first module of this tool that differs from pip's record of the installation."""
    import base64
    import hashlib
    from importlib import metadata

    for file in metadata.files(DISTRIBUTION) or ():
        if file.suffix == ".py" and file.hash:
            path = Path(str(file.locate()))
            data = path.read_bytes() if path.is_file() else b""
            digest = base64.urlsafe_b64encode(hashlib.new(file.hash.mode, data).digest()).rstrip(b"=")
            if digest.decode() != file.hash.value:
                return path
    return None
