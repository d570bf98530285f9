"""Listing jobs: order, pages, filters."""

from __future__ import annotations

import json
from time import perf_counter

import httpx
import pytest
from msgspec.structs import replace

from reconciler.sandbox import rows
from reconciler.sandbox.app import make_app
from reconciler.sandbox.store import Store

from .support import START, Api, Clock, problem


def page(api: Api, **query: object) -> dict[str, object]:
    answer: dict[str, object] = api.client.get("/v1/batch/jobs", params=query).json()  # type: ignore[arg-type]
    return answer


def test_an_empty_list_has_no_data_at_all(api: Api) -> None:
    assert page(api) == {"object": "list", "total": 0}


def test_a_page_beyond_the_last_has_no_data_and_still_the_total(api: Api) -> None:
    api.created()

    assert page(api, page=1) == {"object": "list", "total": 1}


def test_the_newest_comes_first_unless_asked_otherwise(api: Api, clock: Clock) -> None:
    first = api.created()
    clock.advance(1)
    second = api.created()

    assert api.listed() == api.listed({"order_by": "-created"}) == [second, first]
    assert api.listed({"order_by": "created"}) == [first, second]


def test_jobs_of_one_moment_stand_in_the_order_of_their_creation(api: Api) -> None:
    jobs = [api.created() for _ in range(5)]

    assert api.listed({"order_by": "created"}) == jobs
    assert api.listed() == jobs[::-1]


def test_pages_put_together_are_the_list(api: Api) -> None:
    jobs = [api.created() for _ in range(7)]

    pages = [page(api, order_by="created", page=number, page_size=3) for number in range(3)]

    assert [job["id"] for answer in pages for job in answer["data"]] == jobs  # type: ignore[attr-defined]
    assert {answer["total"] for answer in pages} == {7}


def test_model_and_agent_narrow(api: Api) -> None:
    small = api.created(model="mistral-small-latest")
    agent = api.created(model=None, agent_id="ag:1")

    assert api.listed({"model": "mistral-small-latest"}) == [small]
    assert api.listed({"agent_id": "ag:1"}) == [agent]
    assert api.listed({"model": "mistral-small-latest", "agent_id": "ag:1"}) == []


def test_several_statuses_narrow_to_any_of_them(api: Api, clock: Clock) -> None:
    ended = api.created()
    failed = api.created(model="sandbox-unknown")
    clock.advance(60)
    cancelling = api.created(1000)
    clock.advance(2)
    api.cancel(cancelling)
    running = api.created(1000)
    clock.advance(0.4)

    assert api.listed((("status", "SUCCESS"), ("status", "FAILED"))) == [failed, ended]
    assert api.listed({"status": "CANCELLATION_REQUESTED"}) == [cancelling]
    clock.advance(1)
    assert api.listed({"status": "RUNNING"}) == [running]
    assert page(api, status="RUNNING")["total"] == 1


@pytest.mark.parametrize(
    "query",
    [
        {"team": "search"},
        {"team": "search", "lang": "fr"},
        {"metadata": json.dumps({"team": "search"})},
        {"metadata": json.dumps({"team": "search"}), "lang": "fr"},
    ],
)
def test_metadata_narrows_as_bare_parameters_and_as_json(api: Api, query: dict[str, str]) -> None:
    wanted = api.created(metadata={"team": "search", "lang": "fr", "reconciler.name": "a"})
    api.created(metadata={"team": "other", "lang": "fr"})
    api.created()

    assert api.listed(query) == [wanted]


def test_metadata_keys_may_hold_any_character(api: Api) -> None:
    job = api.created(metadata={'a"b.c$[0]': 'é & "=" %'})
    api.created(metadata={"a": "b"})

    assert api.listed({'a"b.c$[0]': 'é & "=" %'}) == [job]
    assert api.listed({'a"b.c$[0]': "x"}) == []


def test_numbers_in_a_json_filter_meet_the_strings_of_the_metadata(api: Api) -> None:
    job = api.created(metadata={"rerun": "2"})

    assert api.listed({"metadata": '{"rerun": 2}'}) == [job]


@pytest.mark.parametrize(
    "moment", ["2027-01-15T08:00:05Z", "2027-01-15T09:00:05+01:00", "2027-01-15T08:00:05"]
)
def test_created_after_leaves_out_what_is_as_old(api: Api, clock: Clock, moment: str) -> None:
    assert START == 1_800_000_000, "2027-01-15T08:00:00Z"
    api.created()
    clock.advance(5)
    api.created()
    clock.advance(5)
    young = api.created()

    assert api.listed({"created_after": moment}) == [young]


def test_every_job_of_the_workspace_is_by_me(api: Api) -> None:
    assert api.listed({"created_by_me": "true"}) == []
    job = api.created()

    assert api.listed({"created_by_me": "true"}) == api.listed({"created_by_me": "false"}) == [job]


@pytest.mark.parametrize(
    ("name", "value", "place"),
    [
        ("page", "-1", ["page"]),
        ("page_size", "many", ["page_size"]),
        ("created_after", "yesterday", ["created_after"]),
        ("created_by_me", "perhaps", ["created_by_me"]),
        ("status", "DONE", ["status", 0]),
        ("order_by", "name", ["order_by"]),
        ("metadata", "[]", []),
    ],
)
def test_a_wrong_parameter_is_named(api: Api, name: str, value: str, place: list[str | int]) -> None:
    assert problem(api.client.get("/v1/batch/jobs", params={name: value}))[0] == ["query", *place]


@pytest.mark.parametrize("page_size", ["0", "10001", str(10**30)])
def test_a_page_has_a_size_within_reason(api: Api, page_size: str) -> None:
    assert api.client.get("/v1/batch/jobs", params={"page_size": page_size}).status_code == 422


@pytest.mark.thorough
def test_ten_thousand_jobs_are_listed_quickly(api: Api, store: Store, clock: Clock) -> None:
    job = api.created(metadata={f"reconciler.{n}": "x" * 40 for n in range(7)})
    with store.write() as db:
        (workspace,) = db.execute("SELECT workspace FROM jobs").fetchone()
        row = rows.find_job(db, workspace, job)
        assert row is not None
        for number in range(1, 10_000):
            rows.save_job(db, workspace, replace(row, id=f"00000000-0000-4000-9000-{number:012}"))

    listed = []
    with httpx.Client(
        transport=httpx.WSGITransport(make_app(store, now=clock)), base_url="http://sandbox"
    ) as client:
        client.headers = api.client.headers
        begun = perf_counter()
        for page in range(100):
            listed += Api(client).listed({"page": str(page), "order_by": "created"})
        elapsed = perf_counter() - begun

    assert len(set(listed)) == 10_000
    assert elapsed < 10, "one second is usual"
