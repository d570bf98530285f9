"""The command's entry. `--version` is answered before anything heavy is imported."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and end the process with its exit code."""
    if sys.argv[1:] == ["--version"]:
        from reconciler import __version__

        sys.stdout.write(f"reconciler {__version__}\n")
        return
    import gc
    import os

    from reconciler.cli.main import run

    gc.set_threshold(1_000_000, 20, 20)  # what a command makes lives until its end: few rounds find anything
    code = run(sys.argv[1:])
    # All is written and closed. Freeing every object takes a tenth of a second with many specs, and the interpreter
    # would wait for threads whose answers are not needed.
    os._exit(code)


if __name__ == "__main__":
    main()
