"""`python -m tools.generate`: write the files that are not current. `--check`: list them and exit 1."""

from __future__ import annotations

import argparse
import sys

from tools.generate import GENERATED, difference, write


def main() -> int:
    """Write or compare, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is not current")
    check = parser.parse_args().check
    if not check:
        for path in write(GENERATED):
            sys.stdout.write(f"wrote {path}\n")
        return 0
    found = [line for row in GENERATED if (line := difference(row))]
    for line in found:
        sys.stdout.write(f"{line}\n\n")
    sys.stdout.write(
        f"{len(found)} of {len(GENERATED)} files are not current: run python -m tools.generate\n"
        if found
        else f"{len(GENERATED)} generated files are current\n"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
