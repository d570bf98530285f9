"""The rules of a policy: for each field what it allows, what it refuses, and in which words."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict, fields, replace

from reconciler.errors import Problem, SpecError, UsageError
from reconciler.settings import ApplyFrom, Guards, Limits, Settings
from reconciler.specs import load
from reconciler.specs.policy import RULES, Policy
from reconciler.specs.project import only_document, read_policy
from reconciler.specs.schema import json_schema
from reconciler.specs.schema.project_files import PolicyFile
from reconciler.specs.yaml.reader import read
from reconciler.specs.yaml.source import SourceFile
from reconciler.specs.yaml.tree import Document
from tests.specs.make import NOW, project
from tools.generate.policy_page import EXAMPLE

WORK = f"v1:{'0' * 64}"
ADOPTED = f"adopt: {{job: j1, work: '{WORK}'}}"
AGENT = "model: mistral-embed -> agent_id: ag1"
FAMILY = "name: one -> name: one-{model}\nmodel: mistral-embed -> matrix: {model: [mistral-embed, codestral-embed]}"

ALLOWED: Final = (
    ("", ""),
    ("", ADOPTED),
    ("", AGENT),
    ("allowed_models: [mistral-embed]", ""),
    ("allowed_models: [other, mistral-*]", ""),
    ("allowed_models: ['*-embed']", FAMILY),
    ("allowed_endpoints: [/v1/*]", ""),
    ("allowed_models: [mistral-embed]\nallow_agents: true", AGENT),
    ("allow_agents: false", ""),
    ("required_metadata: {team: [search, 'b*']}", "metadata: {team: billing}"),
    ("required_metadata: {team: ['*']}", "metadata: {team: x, owner: y}"),
    ("required_metadata: {model: ['*-embed']}", FAMILY + "\nmetadata: {model: '{model}'}"),
    ("may_adopt: true", ADOPTED),
    ("may_adopt: [demo/o*]", ADOPTED),
    ("may_adopt: false", ""),
    ("max_guards: {max_cancels: 10}", "guards: {max_cancels: 10}"),
    ("max_guards: {max_new_requests: null}", "guards: {max_new_requests: 10}"),
    ("max_guards: {allow_empty: true}", "guards: {allow_empty: true}"),
    ("max_limits: {spec_depth: 20}", ""),
    ("allowed_input_uris: [s3://lake/]", ""),
    ("allowed_input_uris: [s3://lake/, az://lake/]", "input_uris: [s3://lake/night/, az://lake/]"),
    ("required_apply: {clean: true}", ""),
    ("required_apply: {clean: true, pushed: true}", "apply: {clean: true}"),
    ("required_apply: {clean: false}", "apply: {clean: false}\nguards: {allow_dirty: true}"),
    ("required_apply: {only_from: [main, release-*]}", "apply: {only_from: [release-*]}"),
    ("required_apply: {only_from: []}", "apply: {only_from: []}\nguards: {allow_other_branch: true}"),
    ("required_apply: {clean: true}", "guards: {allow_unpushed: true, allow_dirty: false}"),
    ("required_apply: {clean: true}\nmax_guards: {allow_dirty: true}", "guards: {allow_dirty: true}"),
)
REFUSED: Final = (
    ("allowed_models: [mistral-small-*]", "", "specs/a.yaml:3:8", "model: the policy does not allow `mistral-embed`"),
    ("allowed_models: [mistral-]", "", "specs/a.yaml:3:8", "model: the policy does not allow `mistral-embed`"),
    (
        "allowed_models: [mistral-*]",
        FAMILY,
        "specs/a.yaml:3:33",
        "model: the policy does not allow `codestral-embed`",
    ),
    (
        "allowed_endpoints: [/v1/ocr]",
        "",
        "specs/a.yaml:2:11",
        "endpoint: the policy does not allow `/v1/embeddings`",
    ),
    ("allow_agents: false", AGENT, "specs/a.yaml:3:11", "agent_id: the policy does not allow agents"),
    ("allowed_models: ['*']", AGENT, "specs/a.yaml:3:11", "agent_id: the policy does not allow agents"),
    ("required_metadata: {team: ['*']}", "", "specs/a.yaml:1:1", "metadata: the policy requires `team`"),
    (
        "required_metadata: {team: [search]}",
        "metadata: {owner: ada}",
        "specs/a.yaml:5:11",
        "metadata: the policy requires `team`",
    ),
    (
        "required_metadata: {team: [search]}",
        "metadata: {team: research}",
        "specs/a.yaml:5:18",
        "metadata.team: the policy does not allow `research`",
    ),
    (
        "required_metadata: {model: [mistral-*]}",
        FAMILY + "\nmetadata: {model: '{model}'}",
        "specs/a.yaml:5:19",
        "metadata.model: the policy does not allow `codestral-embed`",
    ),
    ("may_adopt: false", ADOPTED, "specs/a.yaml:5:8", "adopt: the policy does not allow it for `demo/one`"),
    ("may_adopt: [other/*]", ADOPTED, "specs/a.yaml:5:8", "adopt: the policy does not allow it for `demo/one`"),
    (
        "max_guards: {max_cancels: 10}",
        "guards: {max_cancels: 11}",
        "reconciler.yaml:2:23",
        "guards.max_cancels: the policy allows at most 10",
    ),
    (
        "max_guards: {max_requests_per_day: 1000}",
        "guards: {max_requests_per_day: null}",
        "reconciler.yaml:2:32",
        "guards.max_requests_per_day: the policy allows at most 1,000",
    ),
    (
        "max_guards: {max_cost_per_day: 20}",
        "guards: {max_cost_per_day: 20.50}",
        "reconciler.yaml:2:28",
        "guards.max_cost_per_day: the policy allows at most 20",
    ),
    (
        "max_limits: {spec_depth: 20}",
        "limits: {spec_depth: 21}",
        "reconciler.yaml:2:22",
        "limits.spec_depth: the policy allows at most 20",
    ),
    (
        "allowed_input_uris: [s3://lake/night/]",
        "input_uris: [s3://lake/night/a/, s3://lake/]",
        "reconciler.yaml:2:34",
        "input_uris: the policy does not allow `s3://lake/`",
    ),
    ("allowed_input_uris: []", "input_uris: [s3://bb/]", "reconciler.yaml:2:14", "input_uris: the policy does not allow `s3://bb/`"),
    (
        "required_apply: {clean: true}",
        "apply: {clean: false}",
        "reconciler.yaml:2:16",
        "apply.clean: the policy allows only true",
    ),
    (
        "required_apply: {only_from: [main, release-*]}",
        "apply: {only_from: [main, dev]}",
        "reconciler.yaml:2:20",
        "apply.only_from: the policy allows only main, release-*",
    ),
    (
        "required_apply: {only_from: [main]}",
        "apply: {only_from: []}",
        "reconciler.yaml:2:20",
        "apply.only_from: the policy allows only main",
    ),
    (
        "required_apply: {only_from: [main]}",
        "apply: {only_from: ['*']}",
        "reconciler.yaml:2:20",
        "apply.only_from: the policy allows only main",
    ),
    (
        "required_apply: {pushed: true}",
        "guards: {allow_unpushed: true}",
        "reconciler.yaml:2:26",
        "guards.allow_unpushed: the policy allows only false",
    ),
)  # fmt: skip


def policy(text: str) -> Policy:
    source = SourceFile("policy.yaml", text or "{}")
    return Policy(*only_document(source, PolicyFile, "policy", ""), "0" * 64, "demo")


def found(root: Path, rules: str, lines: str) -> tuple[Problem, ...]:
    """Return the errors of a spec and settings under a policy. A line `old -> new` replaces one of the spec."""
    spec = "name: one\nendpoint: /v1/embeddings\nmodel: mistral-embed\ninput_files: [data.jsonl]\n"
    settings = ""
    for line in filter(None, lines.split("\n")):
        old, arrow, new = line.partition(" -> ")
        if arrow:
            assert old in spec
            spec = spec.replace(old, new)
        elif line.startswith(("guards", "limits", "apply", "input_uris")):
            settings += f"{line}\n"
        else:
            spec += f"{line}\n"
    made = replace(project(root, {"a.yaml": spec}, settings), policy=policy(rules))
    try:
        load.load(made, now=NOW)
    except SpecError as error:
        return tuple(problem for problem in error.problems if not problem.warning)
    return ()


@pytest.mark.parametrize(("rules", "lines"), ALLOWED)
def test_what_a_policy_allows_is_no_problem(tmp_path: Path, rules: str, lines: str) -> None:
    assert found(tmp_path, rules, lines) == ()


@pytest.mark.parametrize(("rules", "lines", "where", "message"), REFUSED)
def test_what_a_policy_forbids_is_a_problem_with_its_place_and_the_policys_sentence(
    tmp_path: Path, rules: str, lines: str, where: str, message: str
) -> None:
    (problem,) = found(tmp_path, f"message: Ask Ada.\n{rules}", lines)
    assert (problem.where, problem.message) == (where, message)
    assert problem.hint.endswith("(policy.yaml:2). Ask Ada.")


def test_each_field_of_a_policy_has_a_row_of_both_kinds() -> None:
    names = {field.name for field in fields(PolicyFile)} - {"message", "may_set_prices"}
    for rows in (ALLOWED, REFUSED):
        assert names == {name for row in rows for name in names if name in row[0]}
    assert names == {*RULES, "allowed_input_uris", "max_guards", "max_limits", "required_apply"}


def test_the_values_that_defaults_give_and_jobs_that_begin_later_are_checked(tmp_path: Path) -> None:
    files = {
        "_defaults.yaml": "model: mistral-embed\n",
        "a.yaml": "name: one\nendpoint: /v1/embeddings\ninput_files: [data.jsonl]\n"
        "rerun: {every: day, start: 2030-01-01}\n",
    }
    made = replace(project(tmp_path, files), policy=policy("allowed_models: [other]"))
    with pytest.raises(SpecError) as caught:
        load.load(made, now=NOW)
    assert [it.where for it in caught.value.problems if not it.warning] == ["specs/_defaults.yaml:1:8"]


def test_the_example_of_the_page_is_a_policy(tmp_path: Path) -> None:
    (tmp_path / "outside.yaml").write_text(EXAMPLE)
    made = project(tmp_path / "demo", {})
    assert read_policy(tmp_path / "outside.yaml", made).document.source.path == "outside.yaml"


CEILINGS: Final[dict[str, type[Guards | Limits]]] = {"guards": Guards, "limits": Limits}


@pytest.mark.parametrize(("group", "name"), [(it, f.name) for it, of in CEILINGS.items() for f in fields(of)])
def test_every_guard_and_limit_has_a_ceiling_that_no_policy_raises(group: str, name: str) -> None:
    default = getattr(CEILINGS[group](), name)
    lower: Any = 1 if default is None else False if isinstance(default, bool) else default / 2
    if isinstance(default, int) and not isinstance(default, bool):
        lower = max(1, int(default // 2))
    bound = policy(yaml.safe_dump({f"max_{group}": {name: lower}}))
    capped = getattr(getattr(bound.capped(Settings(project="demo")), group), name)
    assert capped == lower
    schema = json_schema.schema("policy")["$defs"][f"Max{group.title()}"]["properties"][name]
    if "maximum" in schema:
        with pytest.raises(SpecError):
            policy(yaml.safe_dump({f"max_{group}": {name: schema["maximum"] * 2}}))


RULE: Final[dict[str, tuple[Any, list[Any], Any]]] = {
    "only_from": (["main", "release"], [(), ("dev",), ("main", "dev"), ("*",)], ("main",)),
    "clean": (True, [False], True),
    "pushed": (True, [False], True),
}
"""For each rule about the checkout: what is required, what is looser, and what is at least as strict."""
WAIVES: Final = {"only_from": "allow_other_branch", "clean": "allow_dirty", "pushed": "allow_unpushed"}


def test_every_rule_about_the_checkout_can_be_required() -> None:
    assert RULE.keys() == WAIVES.keys() == {field.name for field in fields(ApplyFrom)}


@pytest.mark.parametrize("name", RULE)
def test_a_required_rule_holds_whatever_the_settings_say(name: str) -> None:
    required, looser, strict = RULE[name]
    bound = policy(yaml.safe_dump({"required_apply": {name: required}}))

    def left(**written: Any) -> Settings:  # noqa: ANN401 - fields of settings
        return bound.capped(replace(Settings(project="demo"), **written))

    for value in looser:
        kept = getattr(left(apply=replace(ApplyFrom(), **{name: value})).apply, name)
        assert kept == (tuple(required) if isinstance(required, list) else required)
    assert getattr(left(apply=replace(ApplyFrom(), **{name: strict})).apply, name) == strict
    waived = left(guards=replace(Guards(), **dict.fromkeys(WAIVES.values(), True))).guards
    assert {it for it in WAIVES.values() if not getattr(waived, it)} == {WAIVES[name]}
    assert _refuses(bound, {WAIVES[name]: True})
    assert not _refuses(bound, {WAIVES[name]: False})
    assert not any(_refuses(bound, {it: True}) for it in WAIVES.values() if it != WAIVES[name])


_NUMBERS: Final = st.one_of(st.none(), st.integers(0, 40))
_SHARE: Final = st.floats(0, 1)
_GUARDS: Final = st.fixed_dictionaries(
    {},
    optional={
        "max_cancels": st.integers(0, 40),
        "max_cancel_share": _SHARE,
        "max_new_requests": _NUMBERS,
        "max_requests_per_day": _NUMBERS,
        "max_cost": st.none() | st.integers(0, 80).map(lambda it: it / 2),
        "max_lost_answers": st.integers(0, 40),
        "allow_empty": st.booleans(),
        "allow_created_elsewhere": st.booleans(),
        "allow_dirty": st.booleans(),
    },
)


def rank(value: Any) -> float:  # noqa: ANN401 - of a guard
    return math.inf if value is None else float(value)


@given(most=_GUARDS, lowered=_GUARDS, written=_GUARDS, overrides=_GUARDS)
def test_a_lower_ceiling_never_allows_more(
    most: dict[str, Any], lowered: dict[str, Any], written: dict[str, Any], overrides: dict[str, Any]
) -> None:
    lower = most | {name: it for name, it in lowered.items() if rank(it) <= rank(most.get(name))}
    one, other = (policy(yaml.safe_dump({"max_guards": it})) for it in (most, lower))
    settings = Settings(project="demo", guards=replace(Guards(), **written))
    wide, narrow = (asdict(it.capped(settings).guards) for it in (one, other))
    assert all(rank(narrow[name]) <= rank(wide[name]) for name in wide)
    assert all(rank(narrow[name]) <= rank(it) for name, it in lower.items())
    assert wide == asdict(settings.guards) | {name: wide[name] for name in most}
    (document,), _ = read(SourceFile("reconciler.yaml", yaml.safe_dump({"guards": written})), Limits())
    assert _wrong(one, document) <= _wrong(other, document)
    assert _wrong(other, document) == {f"guards.{name}" for name in written if _over(written, lower, name)}
    if not _refuses(other, overrides):
        assert not _refuses(one, overrides)
    assert _refuses(other, overrides) == any(_over(overrides, lower, name) for name in overrides)


def _over(values: dict[str, Any], most: dict[str, Any], name: str) -> bool:
    return name in most and rank(values[name]) > rank(most[name])


def _wrong(it: Policy, settings: Document) -> set[str]:
    return {problem.message.partition(":")[0] for problem in it.setting_problems(settings, "")}


def _refuses(it: Policy, overrides: dict[str, Any]) -> bool:
    try:
        it.check_overrides(overrides)
    except UsageError:
        return True
    return False
