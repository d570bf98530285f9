"""`ledger migrate`: all lines arrive in the other place, and no job is created again after the change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.stage import Stage
from tests.cli.team import SETTINGS, Team
from tests.cli.test_shared_ledger import creates

PLACE = "s3://bucket/ledger"


def texts(stage: Stage) -> set[str]:
    return set(stage.run("ledger", "show").out.splitlines())


def local(stage: Stage) -> Path:
    (path,) = (stage.root / ".reconciler").rglob("ledger.jsonl")
    return path


@pytest.mark.usefixtures("bucket")
def test_the_lines_go_from_git_to_a_bucket_and_back_and_nothing_is_created_again(team: Team) -> None:
    team.first.spec("tickets")
    team.publish("one spec")
    assert team.first.run("apply", "--yes").code == 0
    lines = texts(team.first)
    for place, before in ((PLACE, "git"), ("git", PLACE)):
        done = team.first.run("ledger", "migrate", "--to", place)
        assert done.code == 0
        copied = len(lines) if before == "git" else 0
        assert done.out == (
            f"{copied} lines copied; {place} has all {len(lines)}\n"
            f"now set in reconciler.yaml: ledger: {place}\n"
        )
        assert "0 lines copied" in team.first.run("ledger", "migrate", "--to", place).out
        team.settings = SETTINGS.replace("git", place)
        team.first.write("reconciler.yaml", team.settings)
        team.publish(f"ledger: {place}")
        fresh = team.clone(f"clone-{copied}")
        assert texts(fresh) == lines
        again = fresh.run("apply", "--yes")
        assert (again.code, creates(again)) == (0, [])


def test_the_lines_of_a_shared_ledger_go_to_this_host(team: Team) -> None:
    team.first.spec("tickets")
    team.publish("one spec")
    assert team.first.run("apply", "--yes").code == 0
    lines = texts(team.first)
    fresh = team.clone("fresh")
    done = fresh.run("ledger", "migrate", "--to", "local")
    assert done.out.startswith(f"{len(lines)} lines copied; local has all {len(lines)}\n")
    assert set(local(fresh).read_text().splitlines()) == lines


@pytest.fixture
def shop(stage: Stage, served: str) -> Stage:
    stage.environ = {"USER": "ada", "MISTRAL_API_KEY": "any", "MISTRAL_BASE_URL": served}
    stage.spec("tickets")
    assert stage.run("apply", "--yes").code == 0
    return stage


def test_many_lines_are_copied_in_pieces_and_a_second_migrate_goes_on(shop: Stage, bucket: Any) -> None:  # noqa: ANN401
    rows = [f'{{"v":2,"kind":"x","name":"{number}"}}\n' for number in range(9000)]
    with local(shop).open("a") as file:
        file.writelines(rows)
    host = shop.environ["MISTRAL_BASE_URL"].partition("://")[2].replace(":", "_")
    second = f"/bucket/ledger/{host}/shop/segments/00000002.jsonl"
    bucket.pipe_file(second, b"of another run")
    failed = shop.run("ledger", "migrate", "--to", PLACE)
    assert failed.code == 1
    assert "another run wrote to that ledger meanwhile" in failed.err
    bucket.rm_file(second)
    done = shop.run("ledger", "migrate", "--to", PLACE)
    assert done.code == 0
    assert "copied; s3://bucket/ledger has all 9,00" in done.out
    stored = b"".join(bucket.cat_file(path) for path in bucket.store if "/segments/" in path)
    assert all(row.encode() in stored for row in rows[::97])
    assert "no matching" not in shop.run("history").out


def test_lines_that_do_not_arrive_are_an_error_and_the_setting_stays(shop: Stage, bucket: Any) -> None:  # noqa: ANN401
    """A store that loses what it has confirmed."""
    create = bucket.pipe_file

    class Forgets(type(bucket)):  # type: ignore[misc]
        def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **more: object) -> None:
            if "/segments/" not in path:
                create(path, value, mode=mode, **more)

    import fsspec

    fsspec.register_implementation("s3", Forgets, clobber=True)
    failed = shop.run("ledger", "migrate", "--to", PLACE)
    assert failed.code == 1
    assert "s3://bucket/ledger lacks 2 lines of 2 after the copy" in failed.err
    assert "the setting `ledger` must stay" in failed.err


@pytest.mark.parametrize("place", ["gs://bucket/x", "remote", "/folder", ""])
def test_another_place_is_refused_with_the_reason(shop: Stage, place: str) -> None:
    refused = shop.run("ledger", "migrate", "--to", place)
    assert (refused.code, refused.sent) == (64, [])
    assert f"--to: {place} is not a place for a ledger" in refused.err
    assert "no other store is known to create an object only once" in refused.err


def test_the_sandbox_has_no_other_ledger(shop: Stage) -> None:
    refused = shop.run("ledger", "migrate", "--to", PLACE, "--sandbox")
    assert refused.code == 1
    assert "the sandbox never shares its ledger" in refused.err
