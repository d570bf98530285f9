from __future__ import annotations

import datetime as dt
import glob
import json
import re
from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from reconciler.errors import SpecError
from reconciler.model import JobSpec, NotYetStarted
from reconciler.specs import period, to_yaml
from reconciler.specs.load import load
from tests.specs.make import LINE, NOW, loaded, problems, project, spec

NIGHTLY = spec(name="nightly-{stem}", input_files=None, for_each="{files: [n/*.jsonl]}")
BY_RERUN = NIGHTLY + "matrix: "


def line(text: str) -> str:
    return LINE.replace('"1"', f'"{text}"')


def nights(*names: str) -> dict[str, str]:
    return {f"n/{name}.jsonl": line(name) for name in names}


def said(root: Path, files: Mapping[str, str | bytes], more: str = "") -> list[tuple[str, str, str]]:
    return [(it.where, it.message, it.hint) for it in problems(root, files, more)]


def only(root: Path, text: str, **files: str) -> list[JobSpec]:
    return list(loaded(root, {"a.yaml": text, **files}).specs)


def test_each_file_is_one_job(tmp_path: Path) -> None:
    one, two = loaded(tmp_path, {"a.yaml": NIGHTLY, **nights("01", "02")}).specs
    assert (one.name, two.name) == ("nightly-01", "nightly-02")
    assert one.files == ("specs/a.yaml", "specs/n/01.jsonl")
    assert {one.family, two.family} == {"nightly-*"}
    assert {one.on_remove, two.on_remove} == {"keep"}
    assert one.run_key != two.run_key


def test_one_more_file_is_one_more_job_and_the_others_stay(tmp_path: Path) -> None:
    before = loaded(tmp_path, {"a.yaml": NIGHTLY, **nights("01", "02")}).specs
    after = loaded(tmp_path, nights("03")).specs
    assert [it.run_key for it in after[:2]] == [it.run_key for it in before]
    assert after[2].name == "nightly-03"


def test_a_job_of_a_family_is_the_job_that_a_plain_spec_declares(tmp_path: Path) -> None:
    (one,) = loaded(tmp_path / "a", {"a.yaml": NIGHTLY, **nights("01")}).specs
    plain = spec(name="nightly-01", input_files="[n/01.jsonl]", on_remove="keep")
    (other,) = loaded(tmp_path / "b", {"a.yaml": plain, **nights("01")}).specs
    assert (one.run_key, one.settings) == (other.run_key, other.settings)


def test_placeholders_stand_in_names_and_metadata(tmp_path: Path) -> None:
    text = spec(
        name='"{dir}.{stem}-{model}"',
        input_files=None,
        model=None,
        for_each="{files: [n/*.jsonl]}",
        matrix="{model: [a, b]}",
        metadata='{where: "{path}", what: "{stem} by {model}", n: 1.10}',
    )
    specs = loaded(tmp_path, {"a.yaml": text, **nights("x.y")}).specs
    assert [it.name for it in specs] == ["n.x.y-a", "n.x.y-b"]
    assert specs[0].metadata == {"where": "specs/n/x.y.jsonl", "what": "x.y by a", "n": "1.10"}
    assert [it.model for it in specs] == ["a", "b"]


def test_metadata_of_a_plain_spec_is_just_text(tmp_path: Path) -> None:
    (one,) = only(tmp_path, spec(metadata='{note: "{stem}"}'))
    assert one.metadata == {"note": "{stem}"}


def test_what_is_written_beats_the_default_of_for_each(tmp_path: Path) -> None:
    (one,) = loaded(tmp_path, {"a.yaml": NIGHTLY + "on_remove: cancel\n", **nights("01")}).specs
    assert one.on_remove == "cancel"


def test_a_matrix_multiplies_and_excludes(tmp_path: Path) -> None:
    text = spec(
        name="c-{model}-{rerun}",
        model=None,
        matrix="{model: [a, b], rerun: [01, x], exclude: [{model: b, rerun: x}]}",
    )
    specs = only(tmp_path, text)
    assert [(it.name, it.model, it.rerun) for it in specs] == [
        ("c-a-01", "a", "01"),
        ("c-a-x", "a", "x"),
        ("c-b-01", "b", "01"),
    ]
    assert {it.on_remove for it in specs} == {"cancel"}


@pytest.mark.parametrize(
    ("field", "values", "reported"),
    [
        ("endpoint", "[/v1/ocr, /v1/embeddings]", {"/v1/ocr", "/v1/embeddings"}),
        ("model", "[a, b]", {"a", "b"}),
        ("agent_id", "[a, b]", {"a", "b"}),
        ("timeout_hours", "[1, 2]", {1, 2}),
        ("suspend", "[true, false]", {True, False}),
        ("on_change", "[finish, replace]", {"finish", "replace"}),
        ("on_remove", "[keep, cancel]", {"keep", "cancel"}),
    ],
)
def test_a_matrix_varies_every_plain_field(
    tmp_path: Path, field: str, values: str, reported: set[object]
) -> None:
    text = spec(
        name="c-{stem}-{rerun}",
        input_files=None,
        for_each="{files: [n/*.jsonl]}",
        matrix=f"{{{field}: {values}, rerun: [1, 2, 3, 4], exclude: []}}",
        **(
            {field: None}
            if field in ("model", "endpoint")
            else {"model": None}
            if field == "agent_id"
            else {}
        ),
    )
    found = [it for it in said(tmp_path, {"a.yaml": text, **nights("1")}) if "both produce the name" in it[1]]
    assert len(found) == 4, "each value, with each rerun"
    value = values.strip("[]").split(", ")
    for at, chosen in enumerate(value):
        one = text.replace(values, f"[{chosen}]").replace("[1, 2, 3, 4]", f"[{at}]")
        (job,) = loaded(tmp_path, {"a.yaml": one, **nights("1")}).specs
        assert getattr(job, field) in reported


class TestMistakes:
    def test_a_clash_names_both_and_the_placeholder_that_mends_it(self, tmp_path: Path) -> None:
        text = NIGHTLY.replace("n/*", "n/*/*")
        files = {"a.yaml": text, "n/fr/1.jsonl": line("a"), "n/en/1.jsonl": line("b")}
        assert said(tmp_path, files) == [
            (
                "specs/a.yaml:1:7",
                "name: specs/n/en/1.jsonl and specs/n/fr/1.jsonl both produce the name `nightly-1`",
                "add `{dir}`: `nightly-{stem}-{dir}`",
            )
        ]

    def test_a_clash_in_a_matrix_does_so_too(self, tmp_path: Path) -> None:
        text = spec(name="c", model=None, matrix="{model: [a, b]}")
        assert said(tmp_path, {"a.yaml": text}) == [
            (
                "specs/a.yaml:1:7",
                "name: model=a and model=b both produce the name `c`",
                "add `{model}`: `c-{model}`",
            )
        ]

    def test_a_name_that_is_none_says_which_file_makes_it(self, tmp_path: Path) -> None:
        ((where, message, hint),) = said(tmp_path, {"a.yaml": NIGHTLY, **nights("Ärger")})
        assert (where, message) == (
            "specs/a.yaml:1:7",
            "name: specs/n/Ärger.jsonl produces `nightly-Ärger`, which is not a valid name",
        )
        assert hint.startswith("rename specs/n/Ärger.jsonl")

    def test_a_path_in_a_name_is_mended_by_folder_and_stem(self, tmp_path: Path) -> None:
        text = NIGHTLY.replace("{stem}", "{path}")
        ((_, _, hint),) = said(tmp_path, {"a.yaml": text, **nights("1")})
        assert hint.startswith("write `{dir}-{stem}` instead of `{path}`")

    @pytest.mark.parametrize(
        ("text", "where", "message"),
        [
            (spec(name="x-{stem}"), "1:7", "name: unknown placeholder `{stem}`"),
            (NIGHTLY.replace("stem", "model"), "1:7", "name: unknown placeholder `{model}`"),
            (NIGHTLY.replace("{stem}", "{nope}"), "1:7", "name: not a name"),
            (NIGHTLY + 'metadata: {a: "{USER}{steam}"}\n', "5:15", "metadata.a: unknown placeholder `{steam}`"),
            (NIGHTLY + "input_files: [data.jsonl]\n", "5:1", "input_files: cannot be combined with `for_each`"),
            (NIGHTLY + "matrix: {model: [a]}\n", "5:10", "matrix.model: cannot be combined with `model`"),
            (NIGHTLY + "rerun: 1\nmatrix: {rerun: [1]}\n", "6:10", "matrix.rerun: cannot be combined with `rerun`"),
            (NIGHTLY + "matrix: {timeout_hours: []}\n", "5:25", "matrix.timeout_hours: an empty list"),
            (NIGHTLY + "matrix: {suspend: [x]}\n", "5:20", "matrix.suspend[0]: must be true or false, not text"),
            (NIGHTLY + "matrix: {team: [1]}\n", "5:10", "matrix.team: unknown field"),
            (BY_RERUN + "{rerun: [1], exclude: [{rerun: 2}]}\n", "5:32", "matrix.exclude[0]: excludes nothing"),
            (BY_RERUN + "{rerun: [1], exclude: [{rerun: 1}]}\n", "5:31", "matrix.exclude: excludes every job"),
            (NIGHTLY.replace("[n/*.jsonl]", "n"), "4:19", "for_each.files: must be a list, not text"),
            (NIGHTLY.replace("n/*", "m/*"), "4:20", "`m/*.jsonl`: matches no file"),
            (spec(rerun="{every: year}"), "5:16", "rerun.every: must be `day`, `month` or `week`"),
            (spec(rerun="{zone: UTC}"), "5:8", "rerun: `every` is missing"),
            (spec(rerun="{every: day, zone: Paris}"), "5:27", "rerun.zone: not a time zone"),
            (
                spec(rerun="{every: day, zone: Europe/Pariss}"),
                "5:27",
                "rerun.zone: not in this machine's tz database",
            ),
            (spec(rerun="{every: day, start: 23.11.2026}"), "5:28", "rerun.start: not a date"),
            (spec(rerun="{every: day, start: 2026-02-30}"), "5:28", "rerun.start: no such day"),
            (spec(rerun="[1]"), "5:8", "rerun: must be text or a whole number, not a list"),
        ],
    )  # fmt: skip
    def test_is_reported_once_at_its_place(self, tmp_path: Path, text: str, where: str, message: str) -> None:
        found = said(tmp_path, {"a.yaml": text, **nights("1", "2")})
        assert [it[:2] for it in found] == [(f"specs/a.yaml:{where}", message)]

    def test_equal_files_share_one_job_and_are_named_once(self, tmp_path: Path) -> None:
        nights = {f"n/{number}.jsonl": LINE for number in range(1, 5)}
        found = loaded(tmp_path, {"a.yaml": NIGHTLY, **nights})
        assert len(found.specs) == 4
        assert found.warnings[0].message == (
            "nightly-2: this and `nightly-1` (specs/a.yaml:1) submit the same 1 request, so they share one job; "
            "2 more jobs of this spec do so too"
        )
        assert sum("share one job" in it.message for it in found.warnings) == 1

    def test_too_many_jobs_are_refused_before_they_are_made(self, tmp_path: Path) -> None:
        text = spec(name="x-{rerun}", matrix="{rerun: [1, 2, 3], timeout_hours: [1, 2]}")
        ((_, message, hint),) = said(tmp_path, {"a.yaml": text}, "limits: {jobs_per_spec: 5}\n")
        assert message == "makes 6 jobs; at most 5 per spec"
        assert "jobs_per_spec" in hint

    def test_a_name_of_a_family_clashes_with_a_plain_one(self, tmp_path: Path) -> None:
        files = {"a.yaml": NIGHTLY, "b.yaml": spec(name="nightly-1"), **nights("1")}
        ((where, message, _),) = said(tmp_path, files)
        assert (where, message) == (
            "specs/b.yaml:1:7",
            "name: `nightly-1` is already declared at specs/a.yaml:1",
        )

    def test_a_file_with_mistakes_is_reported_at_its_lines(self, tmp_path: Path) -> None:
        found = said(tmp_path, {"a.yaml": NIGHTLY, "n/1.jsonl": "{}\n"})
        assert {where for where, _, _ in found} == {"specs/n/1.jsonl:1"}


names = st.lists(st.from_regex(r"[a-z0-9]{1,4}", fullmatch=True), min_size=1, max_size=5, unique=True)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names, st.permutations(["name", "endpoint", "model", "for_each", "metadata"]), st.randoms())
def test_the_order_of_files_and_keys_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, stems: list[str], order: list[str], random: object
) -> None:
    fields = {
        "name": "n-{stem}",
        "endpoint": "/v1/embeddings",
        "model": "m",
        "for_each": "{files: ['n/*.jsonl']}",
        "metadata": "{a: '{stem}'}",
    }
    random.shuffle(stems)  # type: ignore[attr-defined]
    found = []
    for keys, files in ((list(fields), sorted(stems)), (order, stems)):
        text = "".join(f"{key}: {fields[key]}\n" for key in keys)
        specs = loaded(tmp_path_factory.mktemp("p"), {"a.yaml": text, **nights(*files)}).specs
        found.append([(it.name, it.run_key, it.settings, it.metadata) for it in specs])
    assert found[0] == found[1]


class TestDefaults:
    def test_fill_what_a_spec_leaves_open_and_the_nearest_wins(self, tmp_path: Path) -> None:
        files = {
            "_defaults.yaml": "model: far\ntimeout_hours: 48\nmetadata: {team: a, cost: 1.10}\n",
            "x/_defaults.yaml": "model: near\nmetadata: {team: b}\n",
            "x/y/a.yaml": spec(model=None, input_files="[../../data.jsonl]", metadata="{own: c}"),
            "b.yaml": spec(name="two", model="own", input_files="[data.jsonl]"),
        }
        one, two = loaded(tmp_path, files).specs
        assert (one.model, one.timeout_hours) == ("near", 48)
        assert one.metadata == {"own": "c", "team": "b", "cost": "1.10"}
        assert (two.model, two.metadata) == ("own", {"team": "a", "cost": "1.10"})

    def test_are_no_spec_and_say_where_the_work_was_written(self, tmp_path: Path) -> None:
        files = {"_defaults.yaml": "timeout_hours: 2\nmodel: m\n", "a.yaml": spec(model=None)}
        (one,) = loaded(tmp_path, files).specs
        assert {name: (at.path, at.line) for name, at in one.defaults.items()} == {
            "model": ("specs/_defaults.yaml", 2)
        }

    def test_a_mistake_is_reported_once_at_the_place_where_it_was_written(self, tmp_path: Path) -> None:
        files = {
            "_defaults.yaml": "endpoint: nope\nname: x\ntimeuot_hours: 2\n",
            "a.yaml": spec(endpoint=None),
            "b.yaml": spec(name="b", endpoint=None, rerun="2"),
        }
        assert [it[:2] for it in said(tmp_path, files)] == [
            ("specs/_defaults.yaml:1:11", "endpoint: not an endpoint"),
            ("specs/_defaults.yaml:2:1", "name: unknown field"),
            ("specs/_defaults.yaml:3:1", "timeuot_hours: unknown field"),
        ]

    def test_a_warning_points_to_them(self, tmp_path: Path) -> None:
        files = {"_defaults.yaml": "endpoint: /v1/new\n", "a.yaml": spec(endpoint=None)}
        (warning,) = loaded(tmp_path, files).warnings
        assert warning.where == "specs/_defaults.yaml:1:11"

    def test_an_agent_or_a_matrix_hides_their_model(self, tmp_path: Path) -> None:
        files = {
            "_defaults.yaml": "model: m\nrerun: 1\n",
            "a.yaml": spec(model=None, agent_id="ag"),
            "b.yaml": spec(name="b-{model}-{rerun}", model=None, matrix="{model: [x], rerun: [7]}"),
        }
        specs = loaded(tmp_path, files).specs
        assert [(it.model, it.agent_id, it.rerun) for it in specs] == [("x", None, "7"), (None, "ag", "1")]

    def test_a_family_takes_them(self, tmp_path: Path) -> None:
        files = {
            "_defaults.yaml": "on_remove: cancel\nmetadata: {f: '{stem}'}\n",
            "a.yaml": NIGHTLY,
            **nights("1"),
        }
        (one,) = loaded(tmp_path, files).specs
        assert (one.on_remove, one.metadata) == ("cancel", {"f": "1"})

    def test_one_document_only(self, tmp_path: Path) -> None:
        ((where, message, _),) = said(tmp_path, {"_defaults.yaml": "model: m\n---\nmodel: n\n"})
        assert (where, message) == ("specs/_defaults.yaml:3:1", "more than one document")


def at(text: str, zone: str) -> float:
    return dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


class TestPeriods:
    @pytest.mark.parametrize(
        ("every", "when", "rerun"),
        [
            ("day", "2026-11-23T00:00:00", "2026-11-23"),
            ("week", "2026-11-22T23:59:59", "2026-W47"),
            ("week", "2026-11-23T00:00:00", "2026-W48"),
            ("week", "2027-01-01T12:00:00", "2026-W53"),
            ("month", "2026-11-30T23:59:59", "2026-11"),
        ],
    )
    def test_name_the_period_by_the_calendar_of_the_zone(
        self, tmp_path: Path, every: str, when: str, rerun: str
    ) -> None:
        text = spec(rerun=f"{{every: {every}, zone: Asia/Tokyo}}")
        (one,) = load(project(tmp_path, {"a.yaml": text}), now=at(when, "Asia/Tokyo")).specs
        assert one.rerun == rerun
        (same,) = loaded(tmp_path, {"a.yaml": spec(rerun=rerun)}).specs
        assert same.run_key == one.run_key

    def test_before_the_start_nothing_is_due_and_nothing_is_absent(self, tmp_path: Path) -> None:
        place = project(
            tmp_path, {"a.yaml": spec(rerun="{every: week, zone: Europe/Paris, start: 2026-11-25}")}
        )
        before = load(place, now=at("2026-11-24T23:59:59", "Europe/Paris"))
        assert before.specs == ()
        assert before.later == {"one": NotYetStarted(begins="2026-11-25, Europe/Paris")}
        (warning,) = before.warnings
        assert warning.message == "begins on 2026-11-25; until then nothing is submitted"
        after = load(place, now=at("2026-11-25T00:00:00", "Europe/Paris"))
        assert ([it.rerun for it in after.specs], after.later) == (["2026-W48"], {})

    def test_a_name_that_is_not_due_is_taken_all_the_same(self, tmp_path: Path) -> None:
        place = project(tmp_path, {"a.yaml": spec(rerun="{every: day, start: 2030-01-01}"), "b.yaml": spec()})
        with pytest.raises(SpecError):
            load(place, now=NOW)


ZONES = """
    UTC Europe/Paris America/New_York America/Havana America/St_Johns Asia/Kathmandu Australia/Lord_Howe
    Pacific/Apia Pacific/Kiritimati America/Sao_Paulo Africa/Cairo
"""
zones = st.sampled_from(ZONES.split())


@given(zones, st.sampled_from(["day", "week", "month"]), st.integers(1_000_000_000, 2_000_000_000))
@example("Pacific/Apia", "day", 1_325_239_200)
@example("America/St_Johns", "day", 1_194_145_200)
def test_a_period_never_names_work_that_another_day_would_name(zone: str, every: str, now: int) -> None:
    """Every moment of a local day has one name, and a later day never has the name of an earlier period."""
    place = period.zone_of(zone)
    assert place is not None
    days = [dt.datetime.fromtimestamp(now + step, place).date() for step in range(-90_000, 90_000, 1_800)]
    found = {day: period.name_of(day, every) for day in days}
    ordered = [found[day] for day in sorted(found)]
    assert ordered == sorted(ordered)


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
stems = st.text("abcxyz019[]!é ", min_size=1, max_size=6).filter(lambda it: it == it.strip())
bodies = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@given(
    st.sets(stems, min_size=1, max_size=3),
    st.dictionaries(texts.filter(lambda it: not it.startswith("reconciler.")), texts, max_size=2),
    st.sets(
        st.from_regex(r"[a-z0-9][a-z0-9._-]{0,5}", fullmatch=True)
        | st.from_regex(r"[!-#%-z|~]{1,6}", fullmatch=True),
        min_size=1,
        max_size=3,
    ),
    st.dictionaries(texts, bodies, max_size=2),
    st.sampled_from(
        ["", "rerun: {every: week}\n", "rerun: 012\n", "retry: {max_attempts: 2, on: [FAILED]}\n"]
    ),
)
def test_expand_render_and_load_again_gives_the_same_run_keys(  # noqa: PLR0917 - hypothesis gives them
    tmp_path_factory: pytest.TempPathFactory,
    files: set[str],
    metadata: dict[str, str],
    models: set[str],
    body: dict[str, object],
    more: str,
) -> None:
    root = tmp_path_factory.mktemp("p")
    labels = {key: value for key, value in metadata.items() if "{" not in value}
    named = {f"n/{name}.jsonl": line(f"{at}") for at, name in enumerate(sorted(files))}
    family = "".join(
        f"---\nname: {f'f{at}-{{model}}' if re.fullmatch(r'[a-z0-9._-]*[a-z0-9_-]', model) else f'g{at}-{number}'}\n"
        f"endpoint: /v1/embeddings\nfor_each: {{files: {json.dumps([glob.escape(path)])}}}\n"
        f"metadata: {to_yaml.scalar({**labels, 'from': '{stem} of {dir}: {path}'})}\n"
        f"matrix: {{model: {json.dumps([model])}}}\n{more}"
        for at, path in enumerate(sorted(named))
        for number, model in enumerate(sorted(models))
    )
    inline = spec(
        name="inline",
        input_files=None,
        requests=to_yaml.scalar([{"custom_id": "1", "body": {"input": "x", "x": body}}]),
    )
    place = project(
        root, {"x/a.yaml": family, "b.yaml": inline + more, **{f"x/{k}": v for k, v in named.items()}}
    )
    before = load(place, now=NOW).specs
    assert len(before) == 1 + len(files) * len(models)
    text = to_yaml.dump_documents(before, "specs")
    (root / "specs/x/a.yaml").unlink()
    (root / "specs/b.yaml").write_text(text, encoding="utf-8", newline="")
    after = load(place, now=NOW).specs
    assert [(it.name, it.run_key, it.settings, it.retry) for it in after] == [
        (it.name, it.run_key, it.settings, it.retry) for it in before
    ]
