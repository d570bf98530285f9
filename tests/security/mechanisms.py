"""Check that the tests of `docs/security.md` notice a mechanism that is switched off.

`python -m tests.security.mechanisms [WORDS …]` switches each mechanism off by a small change to a copy of the sources,
runs the tests that the page names for its attacks, and prints which of them fails first.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
SECONDS: Final = 30
"""What one test may take; without a deadline some never end."""
_NOT_COPIED: Final = (
    ".git",
    ".venv",
    "__pycache__",
    ".*_cache",
    ".hypothesis",
    "*.egg-info",
    "dist",
    "build",
)


@dataclass(frozen=True)
class Switch:
    """One mechanism, or a part of it, switched off."""

    mechanism: str
    what: str
    """What the sources do instead."""
    path: str
    attacks: tuple[str, ...]
    """The first cells of its rows of the page."""
    edits: tuple[tuple[str, str], ...]
    """Old and new texts. Each old one occurs exactly once in the file."""


GIT: Final = "reconciler/vcs/git_process.py"
TARGET: Final = "reconciler/cli/session/target.py"
FILES: Final = "reconciler/file_access.py"
CHILDREN: Final = "reconciler/child_environment.py"
ACTION: Final = ".github/actions/reconciler/action.yml"
STATE: Final = "forge the ledger, or the cache of input files"
HOST: Final = "send the key elsewhere"
CHILD: Final = "read the key or a token from a program that this tool starts"
UNREVIEWED: Final = (
    "submit what no review has seen: a direct push, a plan that expired, an input that grew, "
    "more attempts, a repeated old run"
)
PIP: Final = "run code of the checkout in place of pip or of this tool"
FORGED: Final = "write lines into the shared ledger"
IN_BUCKET: Final = "change, remove or leave out segments of a ledger in a bucket"
ROLLED_BACK: Final = "roll the shared ledger back"
POLICY: Final = "go beyond a policy of the organization"
LINKS: Final = "give another file or a pipe for settings, defaults, a spec, an input or a plan"

FETCH: Final = "fetch a URL, or send credentials to a host"

SWITCHES: Final = (
    Switch(
        "one way to run git",
        "git has no settings of ours, and finds the repository itself",
        GIT,
        ("run code through git",),
        (
            ('*(word for setting in SETTINGS for word in ("-c", setting)), ', ""),
            ("**QUIET, **self.chosen, ", "**QUIET, "),
        ),
    ),
    Switch(
        "one way to run git",
        "git may come from the checkout",
        GIT,
        ("run code through git",),
        (("if Path(entry).is_absolute() and not _around(entry) & away]", "if entry or away]"),),
    ),
    Switch(
        "one way to run git",
        "any text is a remote",
        "reconciler/cli/session/find_ledgers.py",
        ("command git by a remote's name",),
        (("git.repository is None or remote not in git.remotes()", "git.repository is None"),),
    ),
    Switch(
        "one way to run git",
        "state that git tracks is believed",
        TARGET,
        (STATE,),
        (("    if tracked:\n", "    if False:\n"),),
    ),
    Switch(
        "one way to run git",
        "no answer of git means that it tracks no state",
        TARGET,
        (STATE,),
        (
            (
                "        raise ReconcilerError(message, hint=hint) from error\n",
                "        tracked = False\n",
            ),
        ),
    ),
    Switch(
        "the host of the key",
        "a file of the project says it",
        TARGET,
        (HOST,),
        (
            (
                '    base_url = common.base_url or env.environ.get("MISTRAL_BASE_URL") or API\n',
                (
                    '    file = project.root / ".env"\n'
                    '    said = re.findall("MISTRAL_BASE_URL=(.*)", file.read_text()) if file.exists() else []\n'
                    '    base_url = common.base_url or env.environ.get("MISTRAL_BASE_URL") or [*said, API][0]\n'
                ),
            ),
            ("import os\n", "import os\nimport re\n"),
        ),
    ),
    Switch(
        "the host of the key",
        "redirects are followed",
        "reconciler/api/http.py",
        (HOST,),
        (("follow_redirects=False", "follow_redirects=True"),),
    ),
    Switch(
        "the environment of children",
        "all variables pass but those that hold the key",
        CHILDREN,
        (CHILD,),
        (('(name in more or name.upper() in ALLOWED or name.upper().startswith("LC_"))', "(name or more)"),),
    ),
    Switch(
        "the environment of children",
        "a listed variable passes with the key in it",
        CHILDREN,
        (CHILD,),
        (("        and not any(secret in value for secret in secrets)\n", ""),),
    ),
    Switch(
        "redaction",
        "nothing is replaced",
        "reconciler/api/key.py",
        ("read the key from arguments, logs, files or a core of the log", "print a line of a secret"),
        (
            (
                "    if len(plain) < MIN_SECRET_LENGTH:\n        return data\n",
                "    if data is not None:\n        return data\n",
            ),
        ),
    ),
    Switch(
        "the opener to read",
        "links may lead out of the project",
        FILES,
        (LINKS,),
        (
            (
                "    if target != whole and not all(within(target, top) for top in tops):\n",
                "    if not tops:\n",
            ),
        ),
    ),
    Switch(
        "the opener to read",
        "pipes and devices are files",
        FILES,
        (LINKS,),
        (("    if not stat.S_ISREG(mode):\n", "    if stat.S_ISDIR(mode):\n"),),
    ),
    Switch(
        "the opener to write",
        "links are followed",
        FILES,
        ("write through a link",),
        (("        if os.path.islink(here):\n", "        if not here:\n"),),
    ),
    Switch(
        "excerpts",
        "lines of any file are shown",
        TARGET,
        ("print a line of a secret",),
        (("Quote(quotable=cache(env.git(root).quotable), redact=redact)", "Quote(redact=redact)"),),
    ),
    Switch(
        "ceilings",
        "a limit may have any value",
        "reconciler/constraints.py",
        ("raise the limits",),
        (("Meta(ge=1, le=ceiling)", "Meta(ge=1)"),),
    ),
    Switch(
        "ceilings",
        "the work of a load is not counted",
        "reconciler/specs/budget.py",
        ("keep the runner busy with globs and links",),
        (("        if self._spent[work] > most:\n", "        if most < 0:\n"),),
    ),
    Switch(
        "the deadline of an exchange",
        "it is 50 times as long",
        "reconciler/api/deadline.py",
        ("never end an answer (`100 Continue` for ever, a header line a second, a slow body)",),
        (
            (
                "        self._until = monotonic() + seconds\n",
                "        self._until = monotonic() + 50 * seconds\n",
            ),
        ),
    ),
    Switch(
        "the length of downloads",
        "a file may have twice the bytes of its description",
        "reconciler/outputs/download.py",
        ("fill the disk with a file without end, or list jobs without end",),
        (("if digest.size + len(piece) > most:", "if digest.size > 2 * most:"),),
    ),
    Switch(
        "trust in results",
        "results that git tracks are believed",
        "reconciler/outputs/place.py",
        ("plant answers",),
        (("    if any(git.tracked(", "    if not place and any(git.tracked("),),
    ),
    Switch(
        "trust in results",
        "a file of any size is whole",
        "reconciler/outputs/download.py",
        ("plant answers",),
        (
            (
                "if present is not None and (any_length or described.size in (None, present)):",
                "if present is not None:",
            ),
        ),
    ),
    Switch(
        "workflow commands",
        "output goes to the runner as it is",
        "reconciler/cli/output/streams.py",
        ("command the runner",),
        (('    if environ.get("GITHUB_ACTIONS"):\n', "    if not before:\n"),),
    ),
    Switch(
        "the action's pip",
        "pip runs in the checkout, without isolation",
        ACTION,
        (PIP,),
        (
            (
                "      working-directory: ${{ runner.temp }}\n      run: |\n        pinned=",
                "      run: |\n        pinned=",
            ),
            (
                "python -I -m pip install --quiet --disable-pip-version-check --no-deps",
                "python -m pip install",
            ),
        ),
    ),
    Switch(
        "the action's pip",
        "the tool runs without isolation",
        ACTION,
        (PIP,),
        (("exec python -I -m reconciler ci", "exec python -m reconciler ci"),),
    ),
    Switch(
        "the required check",
        "a job that failed does not fail the check",
        ".github/workflows/plan.yml",
        ("get past the required check with broken specs, or with a plan that failed or did not run",),
        (("              exit 1\n", ""),),
    ),
    Switch(
        "the policy",
        "a policy may be a part of the checkout",
        TARGET,
        (POLICY,),
        (("    if any(within(", "    if not top and any(within("),),
    ),
    Switch(
        "the policy",
        "settings may exceed a ceiling",
        "reconciler/specs/policy.py",
        (POLICY,),
        (("if bounds[name] is not UNSET and not keeps", "if not name and not keeps"),),
    ),
    Switch(
        "the policy",
        "an option waives what is required of the checkout",
        "reconciler/specs/policy.py",
        (POLICY,),
        (("_WAIVED.get(name, ", '_WAIVED.get("", '),),
    ),
    Switch(
        "the policy",
        "specs may say anything",
        "reconciler/specs/job.py",
        (POLICY,),
        (("policy.spec_problems(document, members) if policy else ()", "()"),),
    ),
    Switch(
        "the policy",
        "the action does not name the policy to the tool",
        ACTION,
        (POLICY,),
        (("then export RECONCILER_POLICY=", "then POLICY="),),
    ),
    Switch(
        "the limit without an approval",
        "an apply that was not approved has no limit",
        "reconciler/cli/commands/ci.py",
        ("submit more than a reviewer may approve",),
        (('job.environ.get("RECONCILER_APPROVED") == "true"', "True"),),
    ),
    Switch(
        "the limit without an approval",
        "no job waits for an approval",
        ".github/workflows/apply.yml",
        ("submit more than a reviewer may approve",),
        (("    environment: reconciler # requires", "    # requires"),),
    ),
    Switch(
        "agreement to the ledger's word",
        "no plan has to be agreed to",
        "reconciler/plans/agreement.py",
        (FORGED,),
        (("if create.rests_on_ledger and NamedWork(decision.name", "if False and NamedWork(decision.name"),),
    ),
    Switch(
        "agreement to the ledger's word",
        "the planner does not mark what rests on the ledger",
        "reconciler/planning/planner.py",
        (FORGED,),
        (
            (
                "if doubted.to_create and (case.to_submit is None or not any(in_doubt)):",
                "if case.to_create:",
            ),
        ),
    ),
    Switch(
        "bounds of the ledger's lines",
        "a line holds until any time",
        "reconciler/workspace/recall.py",
        (FORGED,),
        (('if line.at + getattr(line, "lease", 0.0) <= latest:', "if latest:"),),
    ),
    Switch(
        "bounds of the ledger's lines",
        "a line of a newer version is no line",
        "reconciler/ledger/line_format.py",
        (FORGED,),
        (("        if header.v <= VERSION:\n", "        if header.v:\n"),),
    ),
    Switch(
        "bounds of the ledger's lines",
        "a clone does not miss what it knew",
        "reconciler/ledger/replicated.py",
        (ROLLED_BACK,),
        (("lost = self.shared.missed()", "lost: tuple[str, ...] = ()"),),
    ),
    Switch(
        "the ledger's branch",
        "every branch of that name is a ledger",
        "reconciler/ledger/git.py",
        ("make a branch of their own under the ledger's name",),
        (("if tip and not before and not self._is_ledger(tip):", "if False:"),),
    ),
    Switch(
        "the ledger's branch",
        "commits that remove lines are sound",
        "reconciler/ledger/git_files.py",
        ("take lines out of the shared ledger by a commit on top",),
        (("return any(not rows(parent) <= kept for parent in parents)", "return not parents"),),
    ),
    Switch(
        "the ledger's branch",
        "a merge is compared with no parent",
        "reconciler/ledger/git_files.py",
        ("take lines out of the shared ledger by a commit on top",),
        (('"--stdin", "-r", "-m",', '"--stdin", "-r",'),),
    ),
    Switch(
        "agreement to plans",
        "an unattended run does what is declared",
        "reconciler/plans/agreement.py",
        (UNREVIEWED,),
        (("    held = refused.keys() | {", "    held = set() and refused.keys() | {"),),
    ),
    Switch(
        "agreement to plans",
        "settings that let work go on further count as agreed",
        "reconciler/plans/agreement.py",
        (UNREVIEWED,),
        (("create.spec.terms.widened(self.terms):", "create.spec.terms.widened(create.spec.terms):"),),
    ),
    Switch(
        "the newest commit",
        "an old commit is applied",
        "reconciler/cli/session/agreed_plans.py",
        (UNREVIEWED,),
        (("if tip != commit:", "if tip == commit and False:"),),
    ),
    Switch(
        "the command of the key",
        "a program of the checkout is run",
        "reconciler/cli/session/connect.py",
        ("run a program in place of `RECONCILER_KEY_COMMAND`",),
        (("if Path(os.path.realpath(found)).is_relative_to(os.path.realpath(top)):", "if False:"),),
    ),
    Switch(
        "inputs at a uri",
        "a spec names any place",
        "reconciler/specs/inputs/references.py",
        (FETCH,),
        (("if not uri.startswith(allowed)", 'if not uri.startswith("")'),),
    ),
    Switch(
        "inputs at a uri",
        "a URI has any form",
        "reconciler/specs/schema/types.py",
        (FETCH,),
        (('rf"^{INPUT_BUCKET}(?:{INPUT_STEP}){{1,64}}"', 'r"(?s)^.*"'),),
    ),
    Switch(
        "inputs at a uri",
        "a redirect is followed",
        "reconciler/api/https_file.py",
        (FETCH,),
        (("follow_redirects=False", "follow_redirects=True"),),
    ),
    Switch(
        "inputs at a uri",
        "any content is taken",
        "reconciler/outputs/fetch.py",
        ("submit another content than was reviewed",),
        (("if found == sha256 and", "if found and"),),
    ),
    Switch(
        "the ledger's chain",
        "a segment continues any other",
        "reconciler/ledger/chain.py",
        (IN_BUCKET,),
        (("if first.before != tip.sha256:", "if False:"),),
    ),
    Switch(
        "the ledger's chain",
        "a host does not miss what it read",
        "reconciler/ledger/objects.py",
        (IN_BUCKET,),
        (("if not tip.number or chain.sha256(", "if not tip.number or True or chain.sha256("),),
    ),
    Switch(
        "the ledger's chain",
        "a snapshot may end anywhere",
        "reconciler/ledger/objects.py",
        (IN_BUCKET,),
        (("if tip.sha256 != chain.sha256(", "if not tip.number and chain.sha256("),),
    ),
)


def table(page: str) -> dict[str, tuple[str, ...]]:
    """Return the tests of each row of the page, by the row's first cell."""
    rows = [line.split("|") for line in page.splitlines() if line.startswith("| ")]
    return {row[1].strip(): tuple(re.findall(r"`(tests/[\w/]+\.py::\w+)`", row[-2])) for row in rows}


def named_tests(switches: Sequence[Switch]) -> list[str]:
    """Return the tests that the page names for the attacks of some mechanisms."""
    named = table((ROOT / "docs/security.md").read_text(encoding="utf-8"))
    found = [test for switch in switches for attack in switch.attacks for test in named[attack]]
    return list(dict.fromkeys(found))


@contextmanager
def copied() -> Iterator[Path]:
    """Give a copy of the project, without its history."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "copy")
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*_NOT_COPIED), symlinks=True)
        yield copy


def changed(switch: Switch, copy: Path) -> str:
    """Return what the file of a switch becomes.

    Raises:
        ValueError: a file does not hold an old text exactly once.
    """
    source = (copy / switch.path).read_text(encoding="utf-8")
    for old, new in switch.edits:
        if source.count(old) != 1:
            raise ValueError(
                f"{switch.what}: {switch.path} holds {old!r} {source.count(old)} times, not once"
            )
        source = source.replace(old, new)
    return source


def switch_off(switch: Switch, copy: Path) -> None:
    """Change a copy. Raises what `changed` raises."""
    (copy / switch.path).write_text(changed(switch, copy), encoding="utf-8")


def first_failure(tests: Sequence[str], copy: Path) -> str:
    """Run tests of a copy until one fails; return its name, "" if none fails.

    Raises:
        RuntimeError: the tests cannot be run.
    """
    options = ["--thorough", "-x", "-n0", "-p", "no:cacheprovider", f"--timeout={SECONDS}", "--tb=no"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *tests],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    failed = re.search(r"^FAILED tests/\S+?::(\w+)", done.stdout, re.MULTILINE)
    if done.returncode != (1 if failed else 0):
        raise RuntimeError(f"pytest ended with {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return failed[1] if failed else ""


def main(words: Sequence[str]) -> int:
    """Check the mechanisms with these words in their names, all without any; return 1 if one is not noticed."""
    chosen = [it for it in SWITCHES if not words or any(word in it.mechanism for word in words)]
    for switch in chosen:
        changed(switch, ROOT)
    with copied() as copy:
        failed = first_failure(named_tests(chosen), copy)
    if failed:
        sys.stderr.write(f"with all mechanisms on, {failed} fails\n")
        return 1
    unnoticed = 0
    for switch in chosen:
        with copied() as copy:
            switch_off(switch, copy)
            failed = first_failure(named_tests([switch]), copy)
        unnoticed += not failed
        sys.stdout.write(f"| {switch.mechanism} | {switch.what} | {failed or 'NOT NOTICED'} |\n")
        sys.stdout.flush()
    return int(bool(unnoticed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
