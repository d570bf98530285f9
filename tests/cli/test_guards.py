"""Guards: each holds back what it refuses and lets the rest go, and each has its own override."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import httpx
import pytest

from reconciler.environment import Environment
from reconciler.sandbox import BUILT_IN_KEY
from reconciler.sandbox.app import make_app
from reconciler.sandbox.store import Store
from reconciler.settings import Guards
from tests.cli.schemas import conforming
from tests.cli.stage import HI, Result, Stage, Wire


def remove(stage: Stage, *names: str) -> None:
    for name in names:
        (stage.root / f"specs/{name}.yaml").unlink()
        (stage.root / f"specs/data/{name}.jsonl").unlink()


def creates(result: Result) -> list[str]:
    return [
        json.loads(sent.body)["metadata"]["reconciler.name"]
        for sent in result.writes
        if sent.path == "/v1/batch/jobs"
    ]


def names(count: int) -> list[str]:
    return [f"job-{number:02}" for number in range(count)]


def job_for(stage: Stage, count: int, requests: int = 500) -> list[str]:
    """Create so many jobs that run for a while."""
    for name in names(count):
        stage.spec(name, requests=requests)
    assert stage.run("apply", "--yes").code == 0
    stage.advance(2)
    return names(count)


def nothing_declared(stage: Stage) -> None:
    remove(stage, *job_for(stage, 2))


def three_cancels(stage: Stage) -> None:
    stage.write("reconciler.yaml", "project: shop\nguards: {max_cancels: 2}\n")
    remove(stage, *job_for(stage, 6)[:3])


def two_thirds(stage: Stage) -> None:
    remove(stage, *job_for(stage, 5)[:3])


def over_budget(stage: Stage) -> None:
    stage.write("reconciler.yaml", "project: shop\nguards: {max_new_requests: 5}\n")
    stage.spec("one", requests=3)
    stage.spec("two", requests=4)


def unknown_size(stage: Stage) -> None:
    stage.spec("one", input_files=["00000000-0000-4000-8000-0000000000ff"])
    (stage.root / "specs/data/one.jsonl").unlink()
    stage.write("reconciler.yaml", "project: shop\nguards: {max_new_requests: 5}\n")


def busy_day(stage: Stage) -> None:
    stage.spec("one", requests=3)
    stage.run("apply", "--yes")
    stage.write("reconciler.yaml", "project: shop\nguards: {max_requests_per_day: 6}\n")
    stage.spec("two", requests=4)


def unknown_cost(guard: str) -> Callable[[Stage], None]:
    def prepare(stage: Stage) -> None:
        stage.write("reconciler.yaml", f"project: shop\nguards: {{{guard}: 1000.00}}\n")
        stage.spec("one", model="sandbox-unknown-model")

    return prepare


def many_answers(stage: Stage) -> None:
    stage.write("reconciler.yaml", "project: shop\nguards: {max_lost_answers: 60}\n")
    remove(stage, *job_for(stage, 4)[:2])


def another_workspace(stage: Stage) -> None:
    job_for(stage, 1)
    (stage.root / ".reconciler/sandbox/sandbox.db").rename(stage.root / "first.db")
    stage.spec("new")


def renamed_project(stage: Stage) -> None:
    job_for(stage, 2)
    stage.write("reconciler.yaml", "project: shop-two\n")


CASES: dict[str, tuple[Callable[[Stage], None], str, tuple[str, ...]]] = {
    "empty": (nothing_declared, "nothing is declared while 2 of our jobs are active", ("--allow-empty",)),
    "max_cancels": (
        three_cancels, "the plan cancels 3 jobs, more than 2", ("--max-cancels", "3"),
    ),
    "max_cancel_share": (
        two_thirds, "the plan cancels 3 of 5 active jobs, more than 50%", ("--max-cancel-share", "0.6"),
    ),
    "max_new_requests": (
        over_budget, "the plan submits 7 requests, more than 5", ("--max-new-requests", "7"),
    ),
    "max_new_requests of unknown size": (
        unknown_size,
        "the plan submits 0 requests and 1 job of unknown size, more than 5",
        ("--max-new-requests", "none"),
    ),
    "max_requests_per_day": (
        busy_day,
        "the plan submits 4 requests after 3 in the last 24 hours, more than 6",
        ("--max-requests-per-day", "7"),
    ),
    **{
        guard: (
            unknown_cost(guard),
            "what one can cost is not known",
            (f"--{guard.replace('_', '-')}", "none"),
        )
        for guard in ("max_cost", "max_cost_per_day", "max_cost_per_month")
    },
    "max_lost_answers": (
        many_answers,
        "the plan cancels jobs that have answered 100 requests, more than 60",
        ("--max-lost-answers", "100"),
    ),
    "other_workspace": (
        another_workspace,
        "this workspace does not show the one job that the ledger remembers",
        ("--allow-other-workspace",),
    ),
    "created_elsewhere": (
        renamed_project,
        "the work of job-00 and 1 more was already submitted under project shop",
        ("--allow-created-elsewhere",),
    ),
}  # fmt: skip


NEEDS_LEDGER = pytest.mark.needs_ledger("a wrong key looks like an empty workspace")


@pytest.fixture(
    params=[pytest.param(name, marks=[NEEDS_LEDGER] if name == "other_workspace" else []) for name in CASES]
)
def case(request: pytest.FixtureRequest, stage: Stage) -> tuple[str, str, tuple[str, ...]]:
    prepare, message, override = CASES[request.param]
    stage.prepare(prepare)
    return str(request.param).partition(" ")[0], message, override


def test_guard_holds_back_with_its_numbers_and_the_rest_is_done(
    stage: Stage, case: tuple[str, str, tuple[str, ...]]
) -> None:
    guard, message, override = case
    whole_view = guard == "other_workspace"
    stage.spec("aside", requests=1)
    if guard in ("max_new_requests", "max_requests_per_day"):
        message = message.replace("7 requests", "8 requests").replace("0 requests", "1 request")
        message = message.replace("4 requests", "5 requests")
    if guard == "empty":
        (stage.root / "specs/aside.yaml").unlink()
        (stage.root / "specs/data/aside.jsonl").unlink()
    result = stage.run("apply", "--yes")
    assert result.code == 3
    assert f"held back · {guard}: " in result.out
    shown, refused = result.out.split(f"held back by {guard}: {message}\n")
    assert shown
    hint, *rest = refused.splitlines()
    assert hint.startswith("  hint: ")
    assert override[0] in hint
    assert not any(sent.path.endswith("/cancel") for sent in result.writes)
    done = creates(result)
    assert done == [] if whole_view or guard == "empty" else "aside" in done
    assert ("Nothing was done." in rest) == (not done)
    assert "error:" not in result.err, "the plan has said it"
    assert guard in [event.get("guard") for event in result.events if event["event"] == "guard.refused"]


def test_guard_lets_pass_what_its_own_option_allows(
    stage: Stage, case: tuple[str, str, tuple[str, ...]]
) -> None:
    guard, _, override = case
    planned = stage.run("plan", *override)
    assert "held back" not in planned.out
    assert planned.code == 0
    assert f"reconciler plan -o plan.json {' '.join(override)}" in planned.out
    if override != ("--max-new-requests", "none"):  # the file that it names does not exist
        result = stage.run("apply", "--yes", *override)
        assert result.code == 0, guard
        assert result.writes


def test_plan_shows_what_is_held_back_and_why(stage: Stage, case: tuple[str, str, tuple[str, ...]]) -> None:
    guard, message, override = case
    for form in ("text", "markdown"):
        result = stage.run("plan", "--format", form)
        plain = result.out.replace("\\", "")
        assert result.code == 3
        assert f"held back · {guard}: " in plain
        for part in (guard, message, override[0]):
            assert part in plain
    shown = stage.run("plan", "--format", "json")
    (refusal,) = conforming("plan", shown.out)["plan"]["guards"]
    assert (refusal["guard"], refusal["message"]) == (guard, message)
    assert override[0] in refusal["hint"]
    (setting,) = re.findall(r"guards\.(\w+)", refusal["hint"])
    assert setting in Guards.__struct_fields__


def test_no_other_guards_option_helps(stage: Stage, case: tuple[str, str, tuple[str, ...]]) -> None:
    guard, _, _ = case
    others = [
        option
        for name, (_, _, options) in CASES.items()
        if name.partition(" ")[0] != guard
        for option in options
    ]
    assert stage.run("apply", "--yes", *others).code == 3


def test_saved_plan_lacks_what_was_held_back_whatever_is_allowed_later(
    stage: Stage, case: tuple[str, str, tuple[str, ...]]
) -> None:
    guard, message, override = case
    saved = stage.run("plan", "-o", "plan.json")
    (refusal,) = json.loads((stage.root / "plan.json").read_text(encoding="utf-8"))["plan"]["guards"]
    assert ("Saved without what is held back." in saved.out) == (
        guard == "max_new_requests" and "7" in message
    )
    result = stage.run("apply", "plan.json", *override)
    assert result.code == 3
    assert not any(sent.path.endswith("/cancel") for sent in result.writes)
    assert not set(creates(result)) & set(refusal["held"])
    assert all(f"{name}" in result.out for name in refusal["held"])
    assert f"held back by {guard}: {message}\n  hint: plan again: " in result.out


def test_saved_plan_is_guarded_as_any_other(stage: Stage, case: tuple[str, str, tuple[str, ...]]) -> None:
    guard, _, override = case
    stage.run("plan", "-o", "plan.json", *override)
    result = stage.run("apply", "plan.json")
    assert result.code == 3
    assert f"held back by {guard}: " in result.out
    assert not any(sent.path.endswith("/cancel") for sent in result.writes)


def test_refusal_is_in_the_json_too(stage: Stage) -> None:
    over_budget(stage)
    result = stage.run("apply", "--yes", "--format", "json")
    report = conforming("apply", result.out)
    assert (result.code, report["exit_code"]) == (3, 3)
    assert [(it["name"], it["outcome"]) for it in report["outcomes"]] == [("one", "created")]
    assert [(it["guard"], it["held"]) for it in report["plan"]["guards"]] == [("max_new_requests", ["two"])]


def test_more_than_ten_cancels_are_too_many_unless_the_settings_say_otherwise(stage: Stage) -> None:
    remove(stage, *job_for(stage, 22)[:11])
    assert "the plan cancels 11 jobs, more than 10" in stage.run("apply", "--yes").err


def test_several_guards_are_all_named(stage: Stage) -> None:
    remove(stage, *job_for(stage, 12))
    result = stage.run("apply", "--yes")
    assert result.code == 3
    assert [line.split(":")[0] for line in result.out.splitlines() if line.startswith("held back by")] == [
        "held back by empty",
        "held back by max_cancels",
        "held back by max_cancel_share",
    ]
    assert result.out.endswith("\nNothing was done.\n")
    assert "(2 more above)" in stage.run("apply", "--yes", "--format", "json").err
    allowed = ("--allow-empty", "--max-cancels", "12", "--max-cancel-share", "1")
    assert stage.run("apply", "--yes", *allowed).code == 0


def settings(guards: str) -> str:
    return f"project: shop\nguards: {guards}\n"


@pytest.mark.parametrize(
    ("guards", "argv", "code"),
    [
        ("{max_new_requests: 7}", (), 0),
        ("{max_new_requests: 6}", (), 3),
        ("{max_new_requests: 6}", ("--max-new-requests", "7"), 0),
        ("{max_new_requests: 7}", ("--max-new-requests", "6"), 3),
        ("{max_new_requests: 6}", ("--max-new-requests", "none"), 0),
        ("{max_new_requests: null}", (), 0),
        ("{max_new_requests: 0}", (), 3),
        ("{}", ("--max-new-requests", "0"), 3),
        ("{}", ("--max-new-requests", "1,000"), 0),
    ],
)
def test_budget_is_the_commands_then_the_files(
    stage: Stage, guards: str, argv: Sequence[str], code: int
) -> None:
    over_budget(stage)
    stage.write("reconciler.yaml", settings(guards))
    assert stage.run("apply", "--yes", *argv).code == code


@pytest.mark.parametrize(
    "guard", ["empty", pytest.param("other_workspace", marks=NEEDS_LEDGER), "created_elsewhere"]
)
def test_what_has_no_number_is_allowed_by_a_setting_too(stage: Stage, guard: str) -> None:
    prepare, message, _ = CASES[guard]
    prepare(stage)
    assert message in stage.run("apply", "--yes").err
    project = "shop-two" if guard == "created_elsewhere" else "shop"
    stage.write("reconciler.yaml", f"project: {project}\nguards: {{allow_{guard}: true}}\n")
    assert stage.run("apply", "--yes").code == 0


def test_budget_counts_replacements_and_not_what_runs_already(stage: Stage) -> None:
    job_for(stage, 2, requests=500)
    stage.spec("job-00", requests=501, reuse=False)
    assert stage.run("apply", "--yes", "--max-new-requests", "500").code == 3
    assert stage.run("apply", "--yes", "--max-new-requests", "501").code == 0


def test_duplicates_count_in_no_guard_against_cancels(stage: Stage) -> None:
    stage.write("reconciler.yaml", settings("{max_cancels: 0, max_lost_answers: 0}"))
    job_for(stage, 1)
    (stage.root / ".reconciler/sandbox/shop").rename(stage.root / "kept")
    (job,) = stage.jobs()
    twin(stage, job["metadata"])
    assert len(stage.live()) == 2
    result = stage.run("apply", "--yes")
    assert (result.code, len(result.writes)) == (0, 1)
    assert "another job does the same work" in result.out
    stage.advance(1)
    assert stage.live() == ["job-00"]


def twin(stage: Stage, metadata: dict[str, str]) -> None:
    """Create a job a second time, as another runner does that has not seen the first job."""
    tags = {**metadata, "reconciler.run": metadata["reconciler.run"].replace("op=", "op=f")}
    with stage.console() as client:
        body = {
            "model": "mistral-small-latest",
            "endpoint": "/v1/chat/completions",
            "requests": [{"custom_id": str(number), "body": HI} for number in range(500)],
            "metadata": tags,
        }
        assert client.post("/v1/batch/jobs", json=body).status_code == 200


def test_two_cancels_are_never_refused_for_their_share(stage: Stage) -> None:
    remove(stage, *job_for(stage, 3)[:2])
    assert stage.run("apply", "--yes").code == 0


def test_guards_are_silent_if_nothing_would_be_written(stage: Stage) -> None:
    job_for(stage, 1)
    (stage.root / ".reconciler/sandbox/sandbox.db").rename(stage.root / "first.db")
    remove(stage, "job-00")
    result = stage.run("apply", "--yes")
    assert (result.code, result.out[:11]) == (0, "No changes.")


@pytest.mark.needs_ledger("a wrong key looks like an empty workspace")
def test_back_in_the_right_workspace_all_is_as_it_was(stage: Stage) -> None:
    job_for(stage, 1)
    db = stage.root / ".reconciler/sandbox/sandbox.db"
    shutil.move(db, stage.root / "first.db")
    stage.spec("new")
    assert stage.run("apply", "--yes").code == 3
    for file in db.parent.glob("sandbox.db*"):
        file.unlink()
    shutil.move(stage.root / "first.db", db)
    result = stage.run("apply", "--yes")
    assert (result.code, len(stage.jobs())) == (0, 2)


def test_other_projects_with_other_work_share_a_workspace_in_peace(stage: Stage) -> None:
    job_for(stage, 1)
    stage.write("reconciler.yaml", "project: shop-two\n")
    remove(stage, "job-00")
    stage.spec("mine")
    result = stage.run("apply", "--yes")
    assert result.code == 0
    assert "1 job in the workspace, 0 from this project" in result.out
    assert stage.live() == ["job-00", "mine"]


def test_every_guard_has_its_setting_its_option_and_its_case() -> None:
    import msgspec

    from reconciler.cli.params.guard_options import guard_options
    from reconciler.planning.budgets import BUDGETS
    from reconciler.planning.guards import GUARDS
    from reconciler.settings import Guards

    @guard_options
    def command() -> None:
        pass

    options = {parameter.name for parameter in command.__click_params__}  # type: ignore[attr-defined]
    names = {name.partition(" ")[0] for name in CASES}
    names |= CHECKOUTS.keys()
    assert len(names) == len(GUARDS) + len(BUDGETS)
    assert {field.name.removeprefix("allow_") for field in msgspec.structs.fields(Guards)} == names
    assert {str(option).removeprefix("allow_") for option in options} == names


# The checkout: outside of the sandbox only, so these runs reach the sandbox as if it were the API.

ONLY_HERE = "project: shop\napply: {only_from: [main, release-*], clean: true, pushed: true}\n"


def topic(stage: Stage) -> None:
    stage.git("checkout", "--quiet", "-b", "topic")


def edited(stage: Stage) -> None:
    stage.spec("one", requests=2)


def committed(stage: Stage) -> None:
    stage.commit("Not pushed")


CHECKOUTS: dict[str, tuple[Callable[[Stage], None], str, str]] = {
    "other_branch": (
        topic,
        "the checkout is of branch topic, and apply.only_from allows main, release-*",
        "--allow-other-branch",
    ),
    "dirty": (edited, "uncommitted changes in specs/data/one.jsonl", "--allow-dirty"),
    "unpushed": (committed, "no remote-tracking branch contains the commit ", "--allow-unpushed"),
}


@pytest.fixture
def shop(stage: Stage) -> Stage:
    """A pushed checkout with a new spec, and the real API, which the sandbox's app plays."""
    stage.write("reconciler.yaml", ONLY_HERE)
    stage.spec("one")
    stage.commit("One")
    pushed(stage)
    stage.environ |= {"RECONCILER_SANDBOX": "0", "MISTRAL_API_KEY": BUILT_IN_KEY}
    return stage


def pushed(stage: Stage) -> None:
    stage.git("update-ref", "refs/remotes/origin/main", "HEAD")


@contextmanager
def played(stage: Stage) -> Iterator[Callable[..., Result]]:
    """Yield `Stage.run`, with the sandbox in place of the API."""
    (stage.root / ".reconciler").mkdir(exist_ok=True)
    with Store(stage.root / ".reconciler/api.db") as store:
        app = httpx.WSGITransport(make_app(store, now=lambda: stage.clock, ids=stage.uuid))

        def api(env: Environment) -> Environment:
            return replace(env, wrap_transport=lambda _: Wire(app, stage.faults, []))

        yield partial(stage.run, env=api)


@pytest.mark.parametrize("guard", CHECKOUTS)
def test_jobs_are_created_only_from_the_checkouts_that_the_settings_allow(shop: Stage, guard: str) -> None:
    change, message, override = CHECKOUTS[guard]
    others = [option for name, (_, _, option) in CHECKOUTS.items() if name != guard]
    change(shop)
    with played(shop) as run:
        for command in (("plan",), ("apply", "--yes"), ("apply", "--yes", *others)):
            held = run(*command)
            assert held.code == 3
            assert f"held back by {guard}: {message}" in held.out
            assert override in held.out
        assert run("jobs", "list", "--all", "--format", "json").out.count('"id"') == 0
        assert run("plan", override).code == 0
        done = run("apply", "--yes", override)
        assert done.code == 0
        assert run("jobs", "list", "--all", "--format", "json").out.count('"id"') == 1


@pytest.mark.parametrize("guard", CHECKOUTS)
def test_checkout_matters_to_no_removal_no_sandbox_and_no_plan_of_a_pull_request(
    shop: Stage, guard: str
) -> None:
    change, _, _ = CHECKOUTS[guard]
    with played(shop) as run:
        assert run("apply", "--yes").code == 0
        remove(shop, "one")
        shop.spec("two")
        if guard != "dirty":
            shop.commit("Replace")
            pushed(shop)
            change(shop)
        applied = run("apply", "--yes")
        assert applied.code == 3
        assert f"held back by {guard}: " in applied.out
        assert "cancelled" in applied.out
        shop.environ["RECONCILER_PULL"] = "7"
        assert run("plan").code == 0
        assert run("apply", "--yes").code == 3
    assert shop.run("apply", "--yes", "--sandbox").code == 0


@pytest.mark.parametrize("detached", [False, True])
def test_default_branch_on_github_may_create(shop: Stage, detached: bool) -> None:
    """`actions/checkout` writes the remote-tracking branch also if HEAD is detached."""
    if detached:
        shop.git("checkout", "--quiet", "--detach")
        with played(shop) as run:
            assert "the checkout is of no branch" in run("apply", "--yes").out
    shop.environ |= {"GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/heads/main"}
    with played(shop) as run:
        assert run("apply", "--yes").code == 0


# Whole scenarios.


def test_a_removal_that_is_held_back_holds_up_no_other_work(
    stage: Stage, golden: Callable[..., None]
) -> None:
    """A team removes its running job, and loses more answers than the limit; another team adds one."""
    stage.write("reconciler.yaml", settings("{max_lost_answers: 100}"))
    for name in ("beta", "delta"):
        stage.spec(name, requests=500, reuse=False)
    assert stage.run("apply", "--yes").code == 0
    stage.advance(5)
    remove(stage, "beta")
    stage.spec("delta", requests=501, reuse=False)
    stage.spec("gamma")
    planned = stage.run("plan")
    applied = stage.run("apply", "--yes")
    golden(planned, applied)
    assert (planned.code, applied.code, creates(applied)) == (3, 3, ["gamma"])
    stage.advance(1)
    assert stage.live() == ["beta", "delta", "gamma"]
    allowed = stage.run("apply", "--yes", "--max-lost-answers", "1000")
    assert (allowed.code, creates(allowed)) == (0, ["delta"])


def test_answers_that_come_while_people_review_hold_no_approved_cancel_back(stage: Stage) -> None:
    stage.write("reconciler.yaml", settings("{max_lost_answers: 100}"))
    stage.spec("beta", requests=500)
    stage.run("apply", "--yes")
    stage.advance(2)
    remove(stage, "beta")
    stage.spec("gamma")
    assert stage.run("plan", "-o", "plan.json").code == 0
    stage.advance(5)
    assert "held back by max_lost_answers" in stage.run("plan").out
    result = stage.run("apply", "plan.json")
    assert (result.code, creates(result)) == (0, ["gamma"])
    assert stage.run("apply", "--yes").code == 0
    assert stage.live() == ["gamma"]


def test_jobs_that_end_while_people_review_hold_no_approved_cancel_back(stage: Stage) -> None:
    long = job_for(stage, 3, requests=5_000)
    for number in range(4):
        stage.spec(f"short-{number}", requests=20)
    stage.run("apply", "--yes")
    remove(stage, *long)
    assert stage.run("plan", "-o", "plan.json").code == 0
    stage.advance(20)
    assert "held back by max_cancel_share" in stage.run("plan").out
    assert stage.run("apply", "plan.json").code == 0


def test_hourly_runs_never_cancel_by_and_by_what_a_guard_holds_back(stage: Stage) -> None:
    remove(stage, *job_for(stage, 22, requests=5_000)[:11])
    for _ in range(3):
        assert (result := stage.run("apply", "--yes")).code == 3
        assert result.writes == []
        stage.advance(5)


class Typed(io.StringIO):
    """What a person types at a terminal."""

    def isatty(self) -> bool:
        return True


def test_answering_no_does_nothing_and_is_no_refusal(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    over_budget(stage)
    monkeypatch.setattr("sys.stdin", Typed("n\n"))
    result = stage.run("apply")
    assert (result.code, result.writes) == (0, [])


def test_a_renamed_project_submits_nothing_that_failed_or_was_stopped_under_its_old_name(
    stage: Stage,
) -> None:
    stage.spec("broken", model="sandbox-unknown")
    stage.spec("done")
    stage.spec("stopped", requests=500)
    stage.run("apply", "--yes")
    stage.run("jobs", "cancel", "stopped", "--yes")
    stage.advance(30)
    stage.write("reconciler.yaml", "project: shop-two\n")
    stage.spec("new")
    result = stage.run("apply", "--yes")
    assert (result.code, creates(result)) == (3, ["new"])
    assert "the work of broken and 2 more was already submitted under project shop" in result.err


def test_a_create_that_a_guard_holds_takes_no_room_of_the_quota(shop: Stage) -> None:
    shop.write("reconciler.yaml", ONLY_HERE + "limits: {max_pending: 10}\n")
    shop.spec("two", requests=8)
    shop.commit("Two")
    pushed(shop)
    shop.spec("one", requests=8)
    with played(shop) as run:
        for command in (("plan",), ("apply", "--yes")):
            held = run(*command)
            assert held.code == 3
            assert "held back by dirty" in held.out
            assert "max_pending" not in held.out
        assert run("jobs", "list", "--all", "--format", "json").out.count('"id"') == 1
        shop.commit("One")
        pushed(shop)
        assert (
            "8 requests and 8 pending requests of this project exceed limits.max_pending" in run("plan").out
        )


def test_a_create_that_a_guard_holds_takes_no_room_in_later_rounds_either(shop: Stage) -> None:
    shop.write("reconciler.yaml", ONLY_HERE + "limits: {max_pending: 10}\n")
    for name in ("two", "three"):
        shop.spec(name, requests=8)
    shop.commit("Two and three")
    pushed(shop)
    shop.spec("one", requests=8)
    with played(shop) as run:
        assert run("apply", "--yes", "--wait", "--timeout", "5h").code == 3
        listed = run("jobs", "list", "--all", "--format", "json").out
        assert listed.count('"SUCCESS"') == 2


def test_what_a_budget_holds_back_takes_no_room_of_the_quota(stage: Stage) -> None:
    stage.write(
        "reconciler.yaml", "project: shop\nlimits: {max_pending: 600}\nguards: {max_new_requests: 400}\n"
    )
    stage.spec("a", requests=500)
    stage.spec("b", requests=300)
    stage.spec("c", requests=350)
    shown = stage.run("apply", "--yes")
    assert shown.code == 3
    assert stage.live() == ["b"], "b has room beside a, which is held back; c has none beside b"


def test_what_a_budget_lets_go_only_because_there_is_no_room_for_others_does_not_exceed_the_quota(
    stage: Stage,
) -> None:
    stage.write(
        "reconciler.yaml", "project: shop\nlimits: {max_pending: 600}\nguards: {max_new_requests: 800}\n"
    )
    stage.spec("a", requests=700)
    stage.spec("b", requests=400)
    stage.spec("c", requests=450)
    stage.spec("d", requests=300)
    stage.run("apply", "--yes")
    assert sum({"a": 700, "b": 400, "c": 450, "d": 300}[name] for name in stage.live()) <= 600
