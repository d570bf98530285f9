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
from tests.fuzz.case import ABSENT, FOLDER, LINK, PIPE, Case, Entries
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
            "timeout_hours": [12, 24],
            "exclude": [{"model": "m1", "timeout_hours": 24}],
        },
        "metadata": {"file": "{path}", "n": 1.10},
    },
    {
        "name": "d",
        "endpoint": "/v1/embeddings",
        "model": "mistral-embed",
        "input_files": [
            "../specs/data/t*.jsonl",
            "00000001-0000-4000-8000-000000000000",
            {"uri": "s3://lake/a.jsonl", "sha256": "0" * 64, "requests": 3, "bytes": 99},
            {"manifest": "data/*.json"},
        ],
        "rerun": {"every": "week", "zone": "Europe/Paris", "start": "2026-01-05"},
        "timeout_hours": 24,
        "retry": {"max_attempts": 3, "on": ["FAILED"]},
        "on_change": "finish",
        "on_remove": "keep",
        "suspend": False,
        "checks": {"failed": 0.1, "invalid": 0},
        "metadata": {"team": "x", "yes": True},
        "adopt": {"job": "4fb29d1c-6f5e-4c3a-9d8e-0a1b2c3d4e5f", "work": "v1:" + "0" * 64},
    },
    {
        "name": "e",
        "endpoint": "/v1/embeddings",
        "model": "mistral-embed",
        "rows": {"uri": "https://files.example.org/t.csv", "sha256": "0" * 64, "sql": "select 1 as id"},
        "custom_id": "{{id}}",
        "body": {"input": "{{id}}"},
    },
)
"""Specs that use every field."""
_OF_SPECS: Final = ("name", "input_files", "requests", "for_each", "matrix", "adopt")
"""Fields that defaults may not have."""
SETTINGS: Final = {
    "project": "shop",
    "specs": "specs",
    "input_uris": ["s3://lake/", "https://files.example.org/"],
    "ledger": "local",
    "limits": {"spec_bytes": 50_000, "spec_depth": 20, "in_flight": 2, "settle_seconds": 1.5},
    "uploads": {"expiry_hours": 300, "reuse": True},
    "guards": {"max_cancels": 1, "max_new_requests": 100, "allow_empty": True},
    "on_end": {"webhook": "http://127.0.0.1:9/x", "timeout_seconds": 1},
}


POLICY: Final = {
    "message": "Ask the platform team.",
    "allowed_models": ["mistral-*", "m[0-9]"],
    "allowed_endpoints": ["/v1/*"],
    "allow_agents": False,
    "required_metadata": {"team": ["search", "b*"]},
    "may_adopt": ["shop/*"],
    "max_guards": {"max_new_requests": 100, "max_requests_per_day": None, "max_cancel_share": 0.5},
    "max_limits": {"spec_depth": 20, "deadline_seconds": 9.5},
    "required_apply": {"only_from": ["main", "release-*"], "clean": True, "pushed": False},
}
"""A policy that uses every field."""


def _commands(text: str) -> tuple[str, ...]:
    return tuple(it.strip() for it in text.split(";"))


OFFLINE: Final = _commands(
    "validate; validate; validate --format json; validate --format github; render; render specs; rerun a; "
    "rerun d --to x; validate specs/a.yaml; render --only a* --exclude *b"
)
ONLINE: Final = _commands(
    "plan; plan --format json; apply --yes; apply --yes --wait --timeout 3h; status; wait --timeout 2h; history; "
    "history verify; jobs list; jobs list --all --format json; doctor; outputs pull; "
    "jobs snapshot out.json; jobs get one; jobs cancel 7c65c1e5-0000-4000-8000-000000000000 --yes; "
    "init --from-workspace; apply --yes --format github --comment comment.md; plan --log-level debug --log-file out.log"
)
OF_LEDGER: Final = _commands(
    "plan; apply --yes; history; history --offline --format json; history verify; status; ledger show; doctor; "
    "wait --timeout 5m; outputs pull; ledger show; history; jobs list --format json"
)


def _case(
    rng: random.Random,
    family: str,
    seed: str,
    state: str,
    commands: tuple[str, ...],
    **more: Any,  # noqa: ANN401
) -> Case:
    """Return a case with one or two of some commands."""
    chosen = rng.sample(commands, k=min(len(commands), rng.choice((1, 1, 2))))
    words = tuple(tuple(it.split()) for it in chosen)
    return Case(family=family, seed=seed, state=state, commands=words, **more)


@cache
def _schema(name: str) -> Mapping[str, Any]:
    found: dict[str, Any] = json.loads((_SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    return dict(found["properties"])


def _yaml(rng: random.Random, seeds: tuple[Any, ...], schema: str) -> bytes:
    """Return a YAML file: fields of the schema, mutated, in a random style, and perhaps mutated as bytes."""
    writer = mutate.Yaml(rng, rng.choice((0, 0, 0.03, 0.15)))
    texts = []
    for _ in range(rng.choice((1, 1, 1, 1, 2, 3))):
        changes = rng.choice((0, 1, 1, 2, 4))
        texts.append(
            writer.document(mutate.tree(rng, rng.choice(seeds), times=changes, fields=_schema(schema)))
        )
    if rng.random() < 0.02:
        texts.append(rng.choice(_bombs()))
    data = "---\n".join(texts).encode("utf-8", "surrogatepass")
    return mutate.data(rng, data, times=rng.choice((1, 1, 2, 4))) if rng.random() < 0.3 else data


@cache
def _bombs() -> tuple[str, ...]:
    """Return YAML that costs more than it looks like."""
    laughs = "".join(f"a{at}: &b{at} [{', '.join([f'*b{at - 1}'] * 9)}]\n" for at in range(1, 30))
    sixty = ", ".join(map(str, range(60)))
    return (
        f"b0: &b0 x\n{laughs}",
        f"matrix: {{model: [{sixty}], rerun: [{sixty}], timeout_hours: [{sixty}]}}",
        "".join(f"k{at}: &k{at} {at}\n" for at in range(30_000)),
        "name: |\n" + "  x\n" * 200_000,
        "requests:\n" + "- {custom_id: x, body: {}}\n" * 20_000,
        "input_files: [" + "'**/*', " * 3000 + "a]",
        *(
            "x: " + "[" * 60_000,
            "x: " + "{a: " * 20_000,
            "- " * 30_000 + "x",
            "? " * 5000 + "x",
            "&a [" * 5000,
        ),
        *(
            "name: '" + "''" * 200_000 + "'",
            'name: "' + "\\u0041" * 150_000 + '"',
            "!!" * 100_000,
            "#" * 900_000,
        ),
        *("---\n" * 100_000, "a: *x\n" * 20_000),
    )


def _entry(rng: random.Random) -> tuple[str, bytes | str]:
    """Return something odd in the folder of the specs."""
    kind = rng.choice((LINK, LINK, LINK, PIPE, FOLDER, "bytes", "spec"))
    where = rng.choice(("specs/", "specs/data/", "specs/sub/", "specs/data/deep/er/", "specs/.hidden/"))
    odd = mutate.text(rng).replace("/", "_").replace(SECRET, "k")[:90]
    name = rng.choice(
        ("x.yaml", "x.yml", "x.YAML", "x.jsonl", "one.jsonl", "_defaults.yaml", "x", odd, f"{odd}.yaml")
    )
    targets = f"../{VICTIM} ../../reconciler.yaml . .. x.yaml /etc/passwd /dev/zero one.yaml nowhere ../specs"
    match kind:
        case "spec":
            return where + name, _yaml(rng, SPECS, "job")
        case "bytes":
            return where + name, mutate.data(rng, b"x", times=3)
        case _:
            return where + name, kind + rng.choice(targets.split()) if kind == LINK else kind


def specs(rng: random.Random, seed: str) -> Case:
    """Specs, and what else is in their folder."""
    files: Entries = {"specs/a.yaml": _yaml(rng, SPECS, "job")}
    if rng.random() < 0.15:
        files["specs/sub/b.yml"] = _yaml(rng, SPECS, "job")
    for _ in range(rng.choice((0, 0, 0, 1, 2))):
        files |= [_entry(rng)]
    online = _commands("plan; apply --yes; status; plan --format markdown; plan --format json; history")
    named = ("specs", "rerun", "declared", "glob", "path")
    commands = online if rng.random() < 0.15 else OFFLINE
    return _case(rng, "specs", seed, "project", commands, files=files, named=named)


def settings(rng: random.Random, seed: str) -> Case:
    """`reconciler.yaml`."""
    files = {"reconciler.yaml": _yaml(rng, (SETTINGS, {"project": "shop"}), "reconciler")}
    commands = OFFLINE[:6] + _commands(
        "plan; apply --yes; ledger show; doctor; outputs pull; wait --timeout 1m"
    )
    named = ("reconciler.yaml", "specs", "git", "API", "127.0.0.1", "limits", "config")
    return _case(rng, "settings", seed, "project", commands, files=files, named=named)


def policies(rng: random.Random, seed: str) -> Case:
    """A policy beside the project, and settings and a spec under it."""
    place = "../home/policy.yaml"
    valid = {name: it for name, it in POLICY.items() if rng.random() < 0.5}
    files: Entries = {place: mutate.Yaml(rng, 0).document(valid).encode()}
    if rng.random() < 0.6:
        files[place] = _yaml(rng, (POLICY, {}), "policy")
    elif rng.random() < 0.1:
        files[place] = rng.choice((LINK + VICTIM, LINK + "../project/specs/one.yaml", PIPE, FOLDER, ABSENT))
    if rng.random() < 0.5:
        chosen = mutate.tree(rng, SETTINGS, times=rng.choice((0, 1)), fields=_schema("reconciler"))
        files["reconciler.yaml"] = mutate.Yaml(rng, 0).document(chosen).encode("utf-8", "surrogatepass")
    if rng.random() < 0.5:
        files["specs/a.yaml"] = mutate.Yaml(rng, 0).document(rng.choice(SPECS)).encode()
    options = "--max-new-requests none --max-cancels 7 --allow-dirty"
    commands = OFFLINE[:6] + _commands(f"plan; plan {options}; apply --yes; plan --format json; doctor")
    environ = {"RECONCILER_POLICY": "@/" + place.removeprefix("../")}
    named = ("policy", "specs", "reconciler.yaml", "API")
    return _case(rng, "policies", seed, "project", commands, files=files, environ=environ, named=named)


def defaults(rng: random.Random, seed: str) -> Case:
    """`_defaults.yaml`, and a spec below it."""
    seeds = tuple({name: it for name, it in spec.items() if name not in _OF_SPECS} for spec in SPECS)
    files: Entries = {"specs/_defaults.yaml": _yaml(rng, (*seeds, {}), "defaults")}
    if rng.random() < 0.4:
        files["specs/sub/_defaults.yaml"] = _yaml(rng, seeds, "defaults")
    spec = {name: it for name, it in rng.choice(SPECS).items() if name in _OF_SPECS or rng.random() < 0.3}
    files[rng.choice(("specs/a.yaml", "specs/sub/a.yaml"))] = mutate.Yaml(rng, 0).document(spec).encode()
    return _case(rng, "defaults", seed, "project", OFFLINE, files=files, named=("specs", "declared"))


_ROWS: Final[tuple[dict[str, Any], ...]] = (
    {"custom_id": "1", "body": _BODY},
    {"custom_id": "2", "body": {"input": ["a"], "model": "m"}},
    {"custom_id": "3", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "m", **_BODY}},
    {"custom_id": "4", "params": {"model": "m", "max_tokens": 5, "system": "s", **_BODY}},
    {"key": "5", "request": {"contents": [{"parts": [{"text": "Hi"}], "role": "user"}]}},
    {"recordId": "6", "modelInput": {"anthropic_version": "x", **_BODY}},
    {"id": "b", "custom_id": "7", "response": {"status_code": 200, "body": {}}, "error": None},
)
"""Requests of this API, of others, and a result."""


def inputs(rng: random.Random, seed: str) -> Case:
    """Input files, among them those of other providers."""
    row = rng.choice(_ROWS)
    rows = [
        row | ({"custom_id": str(at)} if "custom_id" in row else {}) for at in range(rng.choice((1, 2, 5)))
    ]
    lines = [mutate.to_json(rng, mutate.tree(rng, it, times=rng.choice((0, 0, 1, 3)))) for it in rows]
    data = b"\n".join([*lines, b""]) if rng.random() < 0.9 else mutate.to_json(rng, rows)
    if rng.random() < 0.5:
        data = mutate.data(rng, data, times=rng.choice((1, 2, 4)))
    convert = "convert specs/data/one.jsonl"
    commands = _commands(
        f"validate; validate; validate --format json; plan; apply --yes; {convert}; {convert} -o converted"
    )
    files = {"specs/data/one.jsonl": data}
    return _case(rng, "inputs", seed, "project", commands, files=files, named=("one.jsonl",))


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
    given, form = files_of("applied"), rng.choice(("text", "json", "markdown", "github"))
    if rng.random() < 0.65:
        files = {"plan.json": _sealed(rng, "plan", given["plan.json"])}
        commands = _commands(
            f"show plan.json --format {form} --all; apply plan.json; apply plan.json --format {form}"
        )
    else:
        files = {"observed.json": _sealed(rng, "snapshot", given["observed.json"])}
        commands = _commands(
            f"plan --observed observed.json --format {form}; plan --observed observed.json -o out.json"
        )
    return _case(rng, "plans", seed, "applied", commands, files=files, named=tuple(files))


@cache
def _kinds() -> tuple[dict[str, Any], ...]:
    """Return a line of each kind that the ledger can hold, besides those of the state."""
    fields = {"v": 1, "at": 1_790_000_000.5, "run_id": "ab", "job_id": "7c65c1e5-0000-4000-8000-000000000000"}
    fields |= {
        "name": "one",
        "work": "v1:" + "0" * 64,
        "rerun": "",
        "attempt": 1,
        "op": "0" * 24,
        "reason": "new",
    }
    fields |= {"error": "", "lease": 60}
    return tuple(fields | {"kind": kind.__struct_config__.tag} for kind in Line.__args__)


def ledger(rng: random.Random, seed: str) -> Case:
    """Lines of the ledger, and other files of the tool's own folder."""
    state, path = rng.choice(("applied", "ended")), f"{TARGET}/ledger.jsonl"
    rows = [json.loads(line) for line in files_of(state)[path].splitlines()]
    for _ in range(rng.choice((0, 1, 3))):
        rows.insert(rng.randrange(len(rows) + 1), {**rng.choice(rows), **rng.choice(_kinds())})
    for at in {rng.randrange(len(rows)) for _ in range(rng.choice((0, 1, 3)))}:
        rows[at] = mutate.tree(rng, rows[at], times=2)
    data = b"".join(mutate.to_json(rng, it) + b"\n" for it in rows).replace(b'{"v": 1', b'{"v":1')
    if rng.random() < 0.5:
        data = mutate.data(rng, data, times=rng.choice((1, 2, 4)))
    files: Entries = {path: data}
    if rng.random() < 0.1:
        names = (
            ".reconciler",
            TARGET,
            f"{TARGET}/lock",
            ".reconciler/inputs.cache",
            ".reconciler/.gitignore",
            path,
        )
        files[rng.choice(names)] = rng.choice((LINK + VICTIM, LINK + "../outside", PIPE, FOLDER, b"\x00\xff"))
    named = ("ledger", "lock", ".reconciler", "API")
    return _case(rng, "ledger", seed, state, OF_LEDGER, files=files, named=named)


def answers(rng: random.Random, seed: str) -> Case:
    """Answers of the API: status, headers, body, compression, time."""
    state = rng.choice(("project", "applied", "ended"))
    spec = {"specs/c.yaml": mutate.Yaml(rng, 0).document(SPECS[1]).encode()}
    number, target = rng.choice((-1, 0, 0, 1, 2, 3)), rng.choice((".*", "/jobs$", "/jobs", "/files"))
    chosen = {number: rng.getrandbits(40)} | ({number + 1: rng.getrandbits(40)} if rng.random() < 0.3 else {})
    files = spec if state == "project" else {}
    return _case(rng, "answers", seed, state, ONLINE, files=files, answers=chosen, target=target)


def sockets(rng: random.Random, seed: str) -> Case:
    """What a server sends over a real connection."""
    files = {"reconciler.yaml": b"project: shop\nlimits: {timeout_seconds: 0.2, deadline_seconds: 1}\n"}
    commands = _commands("plan; apply --yes; jobs list; doctor; history")
    return _case(rng, "sockets", seed, "project", commands, files=files, answers={-1: rng.getrandbits(40)})


def results(rng: random.Random, seed: str) -> Case:
    """Files of results: as the API sends them, and as they are in the folder of results."""
    given = [path for path in files_of("ended") if path.startswith("outputs/")]
    files: Entries = dict.fromkeys(given, ABSENT)
    if rng.random() < 0.5:
        path = rng.choice(given)
        files = {path: changed_body(rng, files_of("ended")[path])}
        if rng.random() < 0.4:
            files[f"{path.rpartition('/')[0]}/summary.json"] = ABSENT
    if rng.random() < 0.15:
        folder = rng.choice(given).rpartition("/")[0]
        at = rng.choice(("outputs", folder, f"{folder}/results.jsonl", f"{folder}/claim-1"))
        files[at] = rng.choice((LINK + VICTIM, PIPE, FOLDER, b"\x00", b"[" * 9000))
    seeds = {rng.choice((-1, 0, 1)): rng.getrandbits(40)} if rng.random() < 0.7 else {}
    words = "outputs pull; outputs pull one --incomplete; outputs show; history --offline; outputs pull --format json"
    more = {
        "target": rng.choice(("/content$", "/content$", "/files/")),
        "named": ("outputs", "API", "one", "two"),
    }
    return _case(rng, "results", seed, "ended", _commands(words), files=files, answers=seeds, **more)


def ci(rng: random.Random, seed: str) -> Case:
    """What GitHub gives to a job: the event, and answers of its API."""
    event = {"pull_request": PULL, "repository": {"default_branch": "main"}, "number": 7}
    data = mutate.to_json(rng, mutate.tree(rng, event, times=rng.choice((0, 0, 1, 1, 3))))
    if rng.random() < 0.2:
        data = mutate.data(rng, data, times=2)
    files: Entries = {"event.json": rng.choice((PIPE, FOLDER)) if rng.random() < 0.03 else data}
    names = ("RECONCILER_NAME", "GITHUB_REF_NAME", "GITHUB_ACTOR", "GITHUB_SERVER_URL", "GITHUB_REPOSITORY")
    odd = (
        {rng.choice(names): mutate.text(rng).replace("\x00", "").replace(SECRET, "")}
        if rng.random() < 0.2
        else {}
    )
    environ = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": rng.choice(("push", "pull_request")),
        "GITHUB_EVENT_PATH": "@/project/event.json",
        "GITHUB_OUTPUT": "@/runner/output",
        "GITHUB_REPOSITORY": "acme/shop",
        "GITHUB_RUN_ID": "5",
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_SHA": "b" * 40,
        "MISTRAL_API_KEY": rng.choice((SECRET, "")),
        "RECONCILER_TOKEN": SECRET,
        "RUNNER_TEMP": "@/runner",
        **odd,
    }
    seeds = {rng.choice((-1, 0, 1, 2)): rng.getrandbits(40)} if rng.random() < 0.7 else {}
    commands = _commands("ci plan; ci apply; ci apply; ci validate")
    return _case(rng, "ci", seed, "applied", commands, files=files, environ=environ, answers=seeds)


FAMILIES: Final[Mapping[str, Callable[[random.Random, str], Case]]] = {
    it.__name__: it
    for it in (specs, settings, policies, defaults, inputs, plans, ledger, answers, sockets, results, ci)
}
"""Every family, by its name on the command line."""
SHARES: Final[Mapping[str, float]] = {"sockets": 0.1, "ci": 0.3}
"""The share of the cases that a slow family gets, compared with the others."""


def generate(family: str, seed: str) -> Case:
    """Return a case. The same seed makes the same case."""
    try:
        return FAMILIES[family](random.Random(f"{family} {seed}"), seed)
    except RecursionError:  # deep values were put into each other: too deep to write
        return FAMILIES[family](random.Random(f"{family} {seed} again"), seed)
