"""Check the lines of one input file: decode each strictly, count them and collect their ids.

Lines are decoded in batches. A batch without anything suspicious is accepted as a whole, which is the normal case;
otherwise its lines are checked one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from reconciler.catalogue.bodies import BODIES
from reconciler.catalogue.mistakes import fit
from reconciler.catalogue.workload import Load, load_of
from reconciler.model.money import Workload
from reconciler.specs.inputs.blocks import Text, split
from reconciler.specs.inputs.decode import DECODE_ERRORS, Batch, decode_batch, model_of, request
from reconciler.specs.inputs.diagnose import MAX_LENGTH, diagnose_line
from reconciler.specs.inputs.findings import Finding, FindingKind, Findings
from reconciler.specs.inputs.requirements import FIELDS, FileFacts

_MAX_MODELS: Final = 20
JUDGED_LINES: Final = 1_000
"""So many lines at the beginning of a file are checked for plain mistakes: a generated file has one in each line."""


def scan(texts: Iterable[Text], longest: int, findings: Findings) -> Scan:
    """Check every line up to one that is longer than `longest` bytes, and add the problems to `findings`."""
    seen = Scan(findings)
    for text in texts:
        found = decode_batch(text, seen.everywhere) if len(text) <= min(longest, MAX_LENGTH) else None
        if found is not None:
            seen.take(found)
            seen.judge(text)
        elif not _check_line_by_line(text, longest, seen):
            break
        if findings.full:
            break
    if not seen.number:
        findings.add(Finding(FindingKind.EMPTY_FILE))
    return seen


class Scan:
    """The totals of the lines so far."""

    def __init__(self, findings: Findings) -> None:
        self.number = 0
        self.size = self.longest = 0
        """Bytes of all lines, and of the longest."""
        self.load = Load()
        self.findings = findings
        self.ids: set[str] = set()
        self.everywhere = FIELDS
        self.models: set[str] = set()
        self.fitting = frozenset(BODIES)
        self._unjudged = JUDGED_LINES

    @property
    def facts(self) -> FileFacts:
        """The facts of the file as a whole."""
        return FileFacts(self.everywhere, frozenset(self.models), self.fitting)

    @property
    def workload(self) -> Workload:
        """What the requests may use."""
        return self.load.workload(requests=self.number, size=self.size, longest=self.longest)

    def take(self, found: Batch) -> None:
        """Add a batch of valid lines."""
        self._once(found.ids)
        self.size += found.size
        self.longest = max(self.longest, found.longest)
        self.load.merge(found.load)
        self.everywhere &= found.fields_in_all_lines
        self.models.update(list(found.models)[: _MAX_MODELS - len(self.models)])

    def judge(self, text: Text) -> None:
        """Keep the endpoints for which lines have no plain mistakes."""
        if self._unjudged > 0:
            lines = split(text)
            self._unjudged -= len(lines)
            self.fitting = fit(self.fitting, lines)

    def _once(self, ids: list[str]) -> None:
        """Count requests, and report ids that were used before."""
        known = self.ids
        earlier: set[str] = set() if known.isdisjoint(ids) else known.intersection(ids)
        fresh = len(known) + len(ids)
        known.update(ids)
        if len(known) < fresh:
            for number, custom_id in enumerate(ids, self.number + 1):
                if custom_id in earlier:
                    self.findings.add(Finding(FindingKind.SAME_ID, number, custom_id=custom_id))
                earlier.add(custom_id)
        self.number += len(ids)


def _check_line_by_line(text: Text, longest: int, seen: Scan) -> bool:
    """Check lines one by one; return False if one is too long, which stops the reading."""
    for line in split(text):
        number = seen.number + 1
        if len(line) > longest:
            seen.number = number
            seen.findings.add(Finding(FindingKind.TOO_LONG, number, more=f": more than {longest:,} bytes"))
            return False
        if line.endswith(b"\r"):
            seen.findings.add(Finding(FindingKind.CRLF, number))
        taken, found = _check_line(number, line)
        for finding in found:
            seen.findings.add(finding)
        if taken and not found:
            custom_id, body = taken
            size, load = len(line), load_of([body])
            seen.take(Batch([custom_id], FIELDS & body.keys(), set(model_of(body)), load, size, size))
            if len(line) <= MAX_LENGTH:
                seen.judge(line)
        else:
            seen.number = number
        if seen.findings.full:
            break
    return True


def _check_line(number: int, line: Text) -> tuple[tuple[str, Mapping[str, Any]] | None, tuple[Finding, ...]]:
    """Return the contents of a line, if it can be decoded, and its problems."""
    try:
        taken = request(line)
    except DECODE_ERRORS:
        return None, tuple(diagnose_line(number, line)) or (Finding(FindingKind.REFUSED, number),)
    if len(line) > MAX_LENGTH or decode_batch(line):
        return taken, ()
    return taken, tuple(diagnose_line(number, line))
