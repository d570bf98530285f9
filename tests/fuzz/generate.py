"""The families of cases. A generator makes a case from a seed and nothing else."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec

from reconciler.ledger.lines import Line
from reconciler.plans import checksum_envelope
from tests.fuzz import mutate
from tests.fuzz.answers import PULL, changed_body
from tests.fuzz.case import ABSENT, FOLDER, LINK, PIPE, Case
from tests.fuzz.mutate import SECRET, VICTIM
from tests.fuzz.state import TARGET, files_of

_SCHEMAS: Final = Path(__file__).parents[2] / "schemas"
_BODY: Final = {"messages": [{"role": "user", "content": "Hi"}]}
SPECS: Final[tuple[dict[str, Any], ...]] = (
    {"name": "a", "endpoint": "/v1/chat/completions", "model": "m", "input_files": ["data/one.jsonl"]},
    {"name": "b", "endpoint": "/v1/ocr", "agent_id": "ag", "requests": [{"custom_id": "1", "body": _BODY}]},
    {
        "name": "c-{stem}-{model}",
        "endpoint": "/v1/chat/completions",
        "for_each": {"files": ["data/*.jsonl", "**/[a-z]*.jsonl"]},
        "matrix": {
            "model": ["m1", "m2"],
            "max_failed": [0, 0.5],
            "exclude": [{"model": "m1", "max_failed": 0}],
        },
        "metadata": {"file": "{path}", "n": 1.10},
    },
    {
        **{"name": "d", "endpoint": "/v1/embeddings", "model": "mistral-embed"},
        "input_files": ["../specs/data/t*.jsonl", "00000001-0000-4000-8000-000000000000"],
        **{"rerun": {"every": "week", "zone": "Europe/Paris", "start": "2026-01-05"}, "timeout_hours": 24},
        **{"retry": {"max_attempts": 3, "on": ["FAILED"]}, "on_change": "finish", "on_remove": "keep"},
        **{"suspend": False, "max_failed": 0.1, "metadata": {"team": "x", "yes": True}},
        "adopt": {"job": "4fb29d1c-6f5e-4c3a-9d8e-0a1b2c3d4e5f", "work": "v1:" + "0" * 64},
    },
)
"""Specs that use every field."""
SETTINGS: Final = {
    "project": "shop",
    "specs": "specs",
    "ledger": "local",
    "limits": {"spec_bytes": 50_000, "spec_depth": 20, "in_flight": 2, "settle_seconds": 1.5},
    "uploads": {"expiry_hours": 300, "reuse": True},
    "guards": {"max_cancels": 1, "max_new_requests": 100, "allow_empty": True},
    "on_end": {"webhook": "http://127.0.0.1:9/x", "timeout_seconds": 1},
}


@cache
def _schema(name: str) -> Mapping[str, Any]:
    text = (_SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found["properties"]  # type: ignore[no-any-return]


def _yaml(rng: random.Random, seeds: tuple[Any, ...], schema: str) -> bytes:
    """Return a YAML file: fields of the schema, mutated, in a random style, and perhaps mutated as bytes."""
    odd = rng.choice((0, 0, 0.03, 0.15))
    writer = mutate.Yaml(rng, odd)
    texts = [
        writer.document(
            mutate.tree(rng, rng.choice(seeds), times=rng.choice((0, 1, 1, 2, 4)), fields=_schema(schema))
        )
        for _ in range(rng.choice((1, 1, 1, 1, 2, 3)))
    ]
    if rng.random() < 0.02:
        texts.append(rng.choice(_bombs()))
    data = "---\n".join(texts).encode("utf-8", "surrogatepass")
    return mutate.data(rng, data, times=rng.choice((1, 1, 2, 4))) if rng.random() < 0.3 else data


@cache
def _bombs() -> tuple[str, ...]:
    """Return YAML that costs more than it looks like."""
    laughs = "".join(f"a{at}: &b{at} [{', '.join([f'*b{at - 1}'] * 9)}]\n" for at in range(1, 30))
    return (
        "b0: &b0 x\n" + laughs,
        "x: " + "[" * 60_000,
        "x: " + "{a: " * 20_000,
        "- " * 30_000 + "x",
        "".join(f"k{at}: &k{at} {at}\n" for at in range(30_000)),
        "name: |\n" + "  x\n" * 200_000,
        "name: '" + "''" * 200_000 + "'",
        'name: "' + "\\u0041" * 150_000 + '"',
        "requests:\n" + "- {custom_id: x, body: {}}\n" * 20_000,
        "input_files: [" + "'**/*', " * 3000 + "a]",
        "matrix: {"
        + ", ".join(
            f"{name}: [{', '.join(map(str, range(60)))}]" for name in ("model", "rerun", "timeout_hours")
        )
        + "}",
        "? " * 5000 + "x",
        "&a [" * 5000,
        "!!" * 100_000,
        "#" * 900_000,
        "---\n" * 100_000,
        "a: *x\n" * 20_000,
    )


def _entry(rng: random.Random) -> tuple[str, bytes | str]:
    """Return something odd in the folder of the specs."""
    kind = rng.choice((LINK, LINK, LINK, PIPE, FOLDER, b"x", SPECS))
    where = rng.choice(("specs/", "specs/data/", "specs/sub/", "specs/data/deep/er/", "specs/.hidden/"))
    name = rng.choice(
        (
            "x.yaml",
            "x.yml",
            "x.YAML",
            "x.jsonl",
            "one.jsonl",
            "_defaults.yaml",
            "x",
            mutate.text(rng).replace("/", "_").replace(SECRET, "k")[:90],
        )
    )
    if kind == LINK:
        target = (
            f"../{VICTIM}",
            "../../reconciler.yaml",
            ".",
            "..",
            "x.yaml",
            "/etc/passwd",
            "/dev/zero",
            "one.yaml",
            "nowhere",
            "../specs",
        )
        return where + name, LINK + rng.choice(target)
    if kind == SPECS:
        return where + name, _yaml(rng, SPECS, "job")
    return where + name, kind if isinstance(kind, str) else mutate.data(rng, b"x", times=3)


def _case(
    rng: random.Random, family: str, seed: str, state: str, commands: tuple[str, ...], **more: Any
) -> Case:  # noqa: ANN401
    """Return a case with one or two of some commands."""
    chosen = rng.sample(commands, k=min(len(commands), rng.choice((1, 1, 2))))
    words = [tuple(SECRET if word == "@key" else word for word in it.split()) for it in chosen]
    return Case(family=family, seed=seed, state=state, commands=tuple(words), **more)


_OFFLINE: Final = (
    *("validate", "validate", "validate --format json", "validate --format github", "render", "render specs"),
    *("rerun a", "rerun d --to x", "validate specs/a.yaml", "render --only a* --exclude *b"),
)


def specs(rng: random.Random, seed: str) -> Case:
    """Specs, and what else is in their folder."""
    files: dict[str, bytes | str] = {"specs/a.yaml": _yaml(rng, SPECS, "job")}
    if rng.random() < 0.15:
        files["specs/sub/b.yml"] = _yaml(rng, SPECS, "job")
    for _ in range(rng.choice((0, 0, 0, 1, 2))):
        files |= dict([_entry(rng)])
    online = ("plan", "apply --yes", "status", "plan --format markdown", "plan --format json", "history")
    commands = online if rng.random() < 0.15 else _OFFLINE
    names = ("specs", "rerun", "declared", "glob", "path")
    return _case(rng, "specs", seed, "project", commands, files=files, named=names)


def settings(rng: random.Random, seed: str) -> Case:
    """`reconciler.yaml`."""
    files = {"reconciler.yaml": _yaml(rng, (SETTINGS, {"project": "shop"}), "reconciler")}
    commands = (
        *_OFFLINE[:6],
        "plan",
        "apply --yes",
        "ledger show",
        "doctor",
        "outputs pull",
        "wait --timeout 1m",
    )
    named = ("reconciler.yaml", "specs", "git", "API", "127.0.0.1", "limits", "config")
    return _case(rng, "settings", seed, "project", commands, files=files, named=named)


def defaults(rng: random.Random, seed: str) -> Case:
    """`_defaults.yaml`, and a spec below it."""
    own = {"name", "input_files", "requests", "for_each", "matrix", "adopt"}
    seeds = tuple({name: it for name, it in spec.items() if name not in own} for spec in SPECS)
    files: dict[str, bytes | str] = {"specs/_defaults.yaml": _yaml(rng, (*seeds, {}), "defaults")}
    if rng.random() < 0.4:
        files["specs/sub/_defaults.yaml"] = _yaml(rng, seeds, "defaults")
    fields = {name: it for name, it in rng.choice(SPECS).items() if name in own or rng.random() < 0.3}
    where = rng.choice(("specs/a.yaml", "specs/sub/a.yaml"))
    files[where] = mutate.Yaml(rng, 0).document(fields).encode()
    return _case(rng, "defaults", seed, "project", _OFFLINE, files=files, named=("specs", "declared"))


_ROWS: Final = (
    {"custom_id": "1", "body": _BODY},
    {"custom_id": "2", "body": {"input": ["a"], "model": "m"}},
    {"custom_id": "3", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "m", **_BODY}},
    {
        "custom_id": "4",
        "params": {"model": "m", "max_tokens": 5, "system": "s", "messages": _BODY["messages"]},
    },
    {"key": "5", "request": {"contents": [{"parts": [{"text": "Hi"}], "role": "user"}]}},
    {"recordId": "6", "modelInput": {"messages": _BODY["messages"], "anthropic_version": "x"}},
    {"id": "b", "custom_id": "7", "response": {"status_code": 200, "body": {}}, "error": None},
)


def inputs(rng: random.Random, seed: str) -> Case:
    """Input files, among them those of other providers."""
    row = rng.choice(_ROWS)
    rows = [
        {**row, "custom_id": str(at)} if "custom_id" in row else {**row}
        for at in range(rng.choice((1, 2, 5)))
    ]
    lines = [mutate.to_json(rng, mutate.tree(rng, it, times=rng.choice((0, 0, 1, 3)))) for it in rows]
    data = b"\n".join([*lines, b""]) if rng.random() < 0.9 else mutate.to_json(rng, rows)
    if rng.random() < 0.5:
        data = mutate.data(rng, data, times=rng.choice((1, 2, 4)))
    commands = (
        "validate",
        "validate",
        "validate --format json",
        "convert specs/data/one.jsonl",
        "plan",
        "apply --yes",
    )
    convert = "convert specs/data/one.jsonl -o converted"
    return _case(
        rng,
        "inputs",
        seed,
        "project",
        (*commands, convert),
        files={"specs/data/one.jsonl": data},
        named=("one.jsonl",),
    )


def _sealed(rng: random.Random, kind: str, data: bytes) -> bytes:
    """Return a mutated file with a digest that fits, or mutated bytes."""
    if rng.random() < 0.2:
        return mutate.data(rng, data, times=rng.choice((1, 2, 4)))
    body = mutate.tree(rng, json.loads(data)[kind], times=rng.choice((1, 1, 2, 5)))
    try:
        return checksum_envelope.wrap(kind, msgspec.json.format(mutate.to_json(rng, body), indent=-1))
    except (msgspec.DecodeError, RecursionError):
        return mutate.to_json(rng, {"digest": "sha256:" + hashlib.sha256(b"").hexdigest(), kind: body})


def plans(rng: random.Random, seed: str) -> Case:
    """Saved plans and snapshots."""
    given = files_of("applied")
    if rng.random() < 0.65:
        files = {"plan.json": _sealed(rng, "plan", given["plan.json"])}
        forms = ("", " --format json", " --format markdown", " --format github", " --all --fail-on-attention")
        commands = (
            *(f"show plan.json{form}" for form in forms),
            "apply plan.json",
            "apply plan.json --format json",
        )
    else:
        files = {"observed.json": _sealed(rng, "snapshot", given["observed.json"])}
        form = rng.choice(("text", "json", "markdown", "github"))
        commands = (
            f"plan --observed observed.json --format {form}",
            "plan --observed observed.json -o out.json",
        )
    return _case(rng, "plans", seed, "applied", commands, files=files, named=tuple(files))


@cache
def _kinds() -> tuple[dict[str, Any], ...]:
    """Return a line of each kind that the ledger can hold, besides those of the state."""
    common = {"v": 1, "at": 1_790_000_000.5, "run_id": "ab", "job_id": "7c65c1e5-0000-4000-8000-000000000000"}
    work = {
        "name": "one",
        "work": "v1:" + "0" * 64,
        "rerun": "",
        "attempt": 1,
        "op": "0" * 24,
        "reason": "new",
        "error": "",
        "lease": 60,
    }
    return tuple(common | work | {"kind": kind.__struct_config__.tag} for kind in Line.__args__)  # type: ignore[attr-defined]


def ledger(rng: random.Random, seed: str) -> Case:
    """Lines of the ledger, and other files of the tool's own folder."""
    state = rng.choice(("applied", "ended"))
    path = f"{TARGET}/ledger.jsonl"
    rows = [json.loads(line) for line in files_of(state)[path].splitlines()]
    for _ in range(rng.choice((0, 1, 3))):
        rows.insert(rng.randrange(len(rows) + 1), {**rng.choice(rows), **rng.choice(_kinds())})
    changed = {rng.randrange(len(rows)) for _ in range(rng.choice((0, 1, 3)))}
    lines = [
        mutate.to_json(rng, mutate.tree(rng, it, times=2) if at in changed else it)
        for at, it in enumerate(rows)
    ]
    data = b"\n".join([*lines, b""]).replace(b'{"v": 1', b'{"v":1')
    if rng.random() < 0.5:
        data = mutate.data(rng, data, times=rng.choice((1, 2, 4)))
    files: dict[str, bytes | str] = {path: data}
    if rng.random() < 0.1:
        at = rng.choice(
            (
                ".reconciler",
                TARGET,
                f"{TARGET}/lock",
                ".reconciler/inputs.cache",
                ".reconciler/.gitignore",
                path,
            )
        )
        files[at] = rng.choice((LINK + VICTIM, LINK + "../outside", PIPE, FOLDER, b"\x00\xff"))
    commands = (
        "plan",
        "apply --yes",
        "history",
        "history --offline --format json",
        "history verify",
        "status",
        "ledger show",
        "doctor",
    )
    more = (
        "wait --timeout 5m",
        "outputs pull",
        "ledger show --format jsonl",
        "history --stats",
        "jobs list --format json",
    )
    return _case(
        rng,
        "ledger",
        seed,
        state,
        commands + more,
        files=files,
        named=("ledger", "lock", ".reconciler", "API"),
    )


_ONLINE: Final = (
    *(
        "plan",
        "plan --format json",
        "apply --yes",
        "apply --yes --wait --timeout 3h",
        "status",
        "wait --timeout 2h",
    ),
    *(
        "history",
        "history verify",
        "jobs list",
        "jobs list --all --format json",
        "files prune --yes",
        "doctor",
        "outputs pull",
    ),
    *("jobs snapshot out.json", "jobs get one", "jobs cancel 7c65c1e5-0000-4000-8000-000000000000 --yes"),
    *(
        "init --from-workspace",
        "apply --yes --format github --comment comment.md",
        "plan --log-level debug --log-file out.log",
    ),
)


def answers(rng: random.Random, seed: str) -> Case:
    """Answers of the API: status, headers, body, compression, time."""
    state = rng.choice(("project", "applied", "ended"))
    files: dict[str, bytes | str] = {}
    if state == "project":
        files["specs/c.yaml"] = mutate.Yaml(rng, 0).document(SPECS[1]).encode()
    number = rng.choice((-1, 0, 0, 1, 2, 3))
    target = rng.choice((".*", "/jobs$", "/jobs", "/files"))
    chosen = {number: rng.getrandbits(40)} | ({number + 1: rng.getrandbits(40)} if rng.random() < 0.3 else {})
    return _case(rng, "answers", seed, state, _ONLINE, files=files, answers=chosen, target=target)


def sockets(rng: random.Random, seed: str) -> Case:
    """What a server sends over a real connection."""
    files = {"reconciler.yaml": b"project: shop\nlimits: {timeout_seconds: 0.2, deadline_seconds: 1}\n"}
    commands = ("plan", "apply --yes", "jobs list", "doctor", "history")
    return _case(rng, "sockets", seed, "project", commands, files=files, answers={-1: rng.getrandbits(40)})


def results(rng: random.Random, seed: str) -> Case:
    """Files of results: as the API sends them, and as they are in the folder of results."""
    given = [path for path in files_of("ended") if path.startswith("outputs/")]
    folders = sorted({path.rpartition("/")[0] for path in given})
    files: dict[str, bytes | str] = {}
    if rng.random() < 0.5:
        path = rng.choice(given)
        files[path] = changed_body(rng, files_of("ended")[path])
        if rng.random() < 0.4:
            files[f"{path.rpartition('/')[0]}/summary.json"] = ABSENT
    else:
        files |= {path: ABSENT for path in given}
    if rng.random() < 0.15:
        at = rng.choice(
            [
                f"{it}/{name}"
                for it in folders
                for name in ("results.jsonl", "output.jsonl.part", "lease.json", "")
            ]
            + ["outputs"]
        )
        files[at.rstrip("/")] = rng.choice((LINK + VICTIM, LINK + "../outside", PIPE, FOLDER, b"\x00"))
    seeds = {rng.choice((-1, 0, 1)): rng.getrandbits(40)} if rng.random() < 0.7 else {}
    commands = (
        "outputs pull",
        "outputs pull",
        "outputs pull one --incomplete",
        "outputs show",
        "history --offline",
        "outputs pull --format json",
    )
    target = rng.choice(("/content$", "/content$", "/files/"))
    named = ("outputs", "API", "one", "two")
    return _case(
        rng, "results", seed, "ended", commands, files=files, answers=seeds, target=target, named=named
    )


def ci(rng: random.Random, seed: str) -> Case:
    """What GitHub gives to a job: the event, and answers of its API."""
    event = {"pull_request": PULL, "repository": {"default_branch": "main"}, "number": 7}
    data = mutate.to_json(rng, mutate.tree(rng, event, times=rng.choice((0, 0, 1, 1, 3))))
    if rng.random() < 0.2:
        data = mutate.data(rng, data, times=2)
    files: dict[str, bytes | str] = {
        "event.json": rng.choice((data, data, data, data, PIPE, FOLDER)) if rng.random() < 0.3 else data
    }
    environ = {
        **{
            "GITHUB_ACTIONS": "true",
            "GITHUB_EVENT_PATH": "@/project/event.json",
            "GITHUB_OUTPUT": "@/runner/output",
        },
        **{"GITHUB_REPOSITORY": "acme/shop", "GITHUB_RUN_ID": "5", "GITHUB_SERVER_URL": "https://github.com"},
        **{
            "RUNNER_TEMP": "@/runner",
            "GITHUB_EVENT_NAME": rng.choice(("push", "pull_request")),
            "GITHUB_SHA": "b" * 40,
        },
        **{"RECONCILER_TOKEN": SECRET, "MISTRAL_API_KEY": rng.choice((SECRET, ""))},
    }
    if rng.random() < 0.2:
        name = rng.choice(
            (
                "RECONCILER_NAME",
                "GITHUB_REF_NAME",
                "GITHUB_ACTOR",
                "GITHUB_SERVER_URL",
                "GITHUB_REPOSITORY",
            )
        )
        environ[name] = mutate.text(rng).replace("\x00", "").replace(SECRET, "")
    seeds = {rng.choice((-1, 0, 1, 2)): rng.getrandbits(40)} if rng.random() < 0.7 else {}
    commands = ("ci plan", "ci apply", "ci apply", "ci validate")
    return _case(rng, "ci", seed, "applied", commands, files=files, environ=environ, answers=seeds)


FAMILIES: Final[Mapping[str, Callable[[random.Random, str], Case]]] = {
    it.__name__: it
    for it in (specs, settings, defaults, inputs, plans, ledger, answers, sockets, results, ci)
}
"""Every family, by its name on the command line."""
SHARES: Final[Mapping[str, float]] = {"sockets": 0.1, "ci": 0.3}
"""The share of the cases that a slow family gets, compared with the others."""


def generate(family: str, seed: str) -> Case:
    """Return a case. The same seed makes the same case."""
    return FAMILIES[family](random.Random(f"{family} {seed}"), seed)
