"""Find words that the project's language rules forbid: `python -m tools.language [PATH …]`.

The rules are those of plain technical English: a subject that acts, the field's word, "if" for a condition. A line is
checked in prose only: Markdown outside of code, and the docstrings, comments and messages of Python. A rule that does
not fit one place has an exception in `EXCEPTIONS`, with its reason.
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
"""The clone."""

RULES: Final[tuple[tuple[str, str], ...]] = (
    (r"\b(?:told|untold)\b", "said, reported, printed, recorded: the verb that fits, in the active voice"),
    (r"\b(?:heard|hears? of)\b", "read, received, observed"),
    (
        r"\b(?:nobody|somebody|anybody|whoever|whom)\b",
        "name the subject: a person, another runner, the caller",
    ),
    (r"\b(?:buys?|bought|buying)\b", "submit, create; money words only for money"),
    (r"\b(?:stands?|stood) (?:here|there|beside|in|at|for|above|below|alone|on|under|now|behind)\b", "is"),
    (r"\b(?:lies?|lay) (?:in|below|beside|beneath|at|on|under|there|beyond|outside|behind)\b", "is"),
    (r"(?:^|[.;:(—] )Where\b(?! (?:to|things|does|do|is|are|the \w+ (?:goes?|lives?))\b)", "If"),
    (
        (
            r"\bwhere (?:there|it|none|nothing|no|nobody|that|they|one|neither|this|not|either|someone) "
            r"?(?:is|are|was|were|has|does|do|can|cannot|may|one|such)?\b(?= )"
        ),
        "if",
    ),
    (
        r"\bwhat (?:is|was|has been|had been) (?:said|told|asked|found|heard|bought|meant|known of)\b",
        "name the thing",
    ),
    (r"\b(?:came|comes|come|become|became|becomes) of\b", "the outcome of, what happened to"),
    (r"\bor never\b|\bas ever\b|\bever was\b|\bever happened\b", "say it without the aphorism"),
    (r"\btells? (?:of|what|how|whether|who|where|that|apart from)\b", "say, report, show"),
    (r"\bwill do\b|\bwants? (?:a|an) (?:look|word|person)\b", "is enough; needs"),
)
"""A regular expression, without regard to case where it has no capital letter, and what to write instead."""

EXCEPTIONS: Final[tuple[tuple[str, str, str], ...]] = (
    ("tools/language.py", "", "it lists the words"),
    ("tests/generate/test_language.py", "", "it quotes sentences that break the rules"),
    ("reconciler/sandbox/files.py", "WHERE NOT EXISTS", "SQL"),
    ("reconciler/sandbox/rows.py", "WHERE NOT EXISTS", "SQL"),
)
"""A path, the words of the line (all lines of the file if there are none), and the reason."""

_CODE: Final = re.compile(r"`[^`]*`|<[^>]*>|\]\([^)]*\)|https?://\S+")
_COMPILED: Final = tuple(
    (re.compile(pattern, 0 if "Where" in pattern else re.IGNORECASE), instead) for pattern, instead in RULES
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One place that breaks a rule."""

    path: str
    line: int
    words: str
    instead: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.words!r} -> {self.instead}\n    {self.text}"


def findings(path: str, source: str) -> Iterator[Finding]:
    """Check one file."""
    for line, text in prose(path, source):
        clean = _CODE.sub("`", text)
        for pattern, instead in _COMPILED:
            for match in pattern.finditer(clean):
                if not _excused(path, text):
                    yield Finding(path, line, match[0].strip(), instead, text.strip()[:160])


def _excused(path: str, text: str) -> bool:
    return any(path == where and words in text for where, words, _ in EXCEPTIONS)


def prose(path: str, source: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of a file that people read, with their numbers."""
    if path.endswith(".py"):
        yield from _python(source)
    elif path.endswith(".md"):
        fenced = False
        for number, text in enumerate(source.splitlines(), 1):
            if text.lstrip().startswith("```"):
                fenced = not fenced
            elif not fenced:
                yield number, text
    else:
        for number, text in enumerate(source.splitlines(), 1):
            _, mark, comment = text.partition("#")
            if mark:
                yield number, comment


def _python(source: str) -> Iterator[tuple[int, str]]:
    """Yield comments, and the strings that read like prose: docstrings and messages."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            for offset, text in enumerate(node.value.splitlines()):
                yield node.lineno + offset, text


def files(arguments: list[str]) -> list[str]:
    """Return the files to check: those that git tracks below the arguments, or all prose of the project."""
    below = arguments or [
        "README.md",
        "CHANGELOG.md",
        "docs",
        "reconciler",
        "tools",
        "tests",
        "benchmarks",
        "specs",
        ".github",
        ".ci",
    ]
    command = ["git", "ls-files", "--", *below]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603 - git
    return [
        path
        for path in listed.stdout.splitlines()
        if path.endswith((".py", ".md", ".yml", ".yaml")) or path == ".ci/run"
    ]


def main() -> int:
    """Print every finding; return how the process ends."""
    found = [
        finding
        for path in files(sys.argv[1:])
        for finding in findings(path, (ROOT / path).read_text(encoding="utf-8"))
    ]
    lines = [str(finding) for finding in found]
    lines.append(f"{len(found)} places break the language rules" if found else "the language rules hold")
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
