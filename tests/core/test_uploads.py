"""Input files: each content once, and only what was planned."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reconciler.api.errors import OutcomeUnknownError, RateLimitedError, RejectedError
from reconciler.errors import ReconcilerError
from reconciler.model import InputFile, JobSpec, UploadedFile
from reconciler.uploads import TRIES, InputChangedError, Uploads

from .fakes import Api, Stage
from .make import sha, spec


def written(root: Path, name: str, text: str) -> InputFile:
    (root / name).write_text(text)
    return InputFile(path=name, sha256=sha(text), size=len(text), requests=1)


def uploads(api: Api, root: Path) -> Uploads:
    return Uploads(api, api.stage.world(), root=root)


def of(*inputs: InputFile | UploadedFile) -> JobSpec:
    return spec(inputs=inputs)


def test_a_file_is_uploaded_under_the_name_of_its_content(tmp_path: Path) -> None:
    api, part = Api(Stage()), written(tmp_path, "a.jsonl", "{}")
    assert uploads(api, tmp_path).ids(of(part)) == ("file-0",)
    assert api.uploaded == {"file-0": b"{}"}
    (facts,) = api.stage.log.of("input.uploaded")
    assert (facts["path"], facts["sha256"], facts["bytes"], facts["file_id"]) == (
        "a.jsonl",
        sha("{}"),
        2,
        "file-0",
    )


def test_a_content_is_uploaded_once_for_all_specs(tmp_path: Path) -> None:
    api = Api(Stage())
    one, same, other = (
        written(tmp_path, "a.jsonl", "{}"),
        written(tmp_path, "b.jsonl", "{}"),
        written(tmp_path, "c.jsonl", "[]"),
    )
    shared = uploads(api, tmp_path)
    assert shared.ids(of(one, other)) == ("file-0", "file-1")
    assert shared.ids(of(same)) == ("file-0",)
    assert len(api.sent("upload")) == 2


def test_files_that_are_uploaded_already_are_only_named(tmp_path: Path) -> None:
    api = Api(Stage())
    assert uploads(api, tmp_path).ids(of(UploadedFile(id="f-7"))) == ("f-7",)
    assert api.trace == []


def test_threads_that_need_one_content_upload_it_once(tmp_path: Path) -> None:
    begun, go = threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        assert go.wait(10)

    api, part = Api(Stage()), written(tmp_path, "a.jsonl", "{}")
    api.before_upload = slow
    shared = uploads(api, tmp_path)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(shared.ids, of(part))
        assert begun.wait(10)
        others = [pool.submit(shared.ids, of(part)) for _ in range(3)]
        go.set()
        assert {it.result(10) for it in (first, *others)} == {("file-0",)}
    assert len(api.sent("upload")) == 1


def test_a_file_of_another_size_is_not_sent(tmp_path: Path) -> None:
    api, part = Api(Stage()), written(tmp_path, "a.jsonl", "{}")
    (tmp_path / "a.jsonl").write_text("{} ")
    with pytest.raises(InputChangedError, match=r"a\.jsonl changed after it was planned") as caught:
        uploads(api, tmp_path).ids(of(part))
    assert caught.value.hint == "plan again"
    assert api.trace == []


def test_a_file_that_changed_without_changing_its_size_is_deleted_again(tmp_path: Path) -> None:
    api, part = Api(Stage()), written(tmp_path, "a.jsonl", "{}")
    (tmp_path / "a.jsonl").write_text("[]")
    with pytest.raises(InputChangedError):
        uploads(api, tmp_path).ids(of(part))
    assert api.sent("delete") == ["delete file-0"]
    assert api.uploaded == {}


def test_a_file_that_was_altered_on_its_way_is_deleted_again(tmp_path: Path) -> None:
    api, part = Api(Stage()), written(tmp_path, "a.jsonl", "{}")
    api.spoils_uploads = True
    with pytest.raises(InputChangedError):
        uploads(api, tmp_path).ids(of(part))
    assert api.uploaded == {}


def test_a_file_that_is_gone_is_an_error(tmp_path: Path) -> None:
    part = InputFile(path="gone.jsonl", sha256=sha(""), size=0, requests=0)
    with pytest.raises(ReconcilerError, match=r"gone\.jsonl cannot be read"):
        uploads(Api(Stage()), tmp_path).ids(of(part))


def test_half_an_upload_is_sent_again_from_its_beginning(tmp_path: Path) -> None:
    api, part = Api(Stage()), written(tmp_path, "a.jsonl", "{}")
    api.upload_faults = [
        OutcomeUnknownError("reset", transient=True),
        RateLimitedError("429", status=429, transient=True),
    ]
    assert uploads(api, tmp_path).ids(of(part)) == ("file-0",)
    assert api.uploaded == {"file-0": b"{}"}
    assert api.stage.clock.slept == sorted(api.stage.clock.slept)
    assert api.stage.clock.slept[0] == 0.5


def test_an_upload_that_never_goes_through_is_given_up(tmp_path: Path) -> None:
    api, part = Api(Stage()), written(tmp_path, "a.jsonl", "{}")
    api.upload_faults = [OutcomeUnknownError("reset", transient=True) for _ in range(50)]
    with pytest.raises(OutcomeUnknownError):
        uploads(api, tmp_path).ids(of(part))
    assert len(api.sent("upload")) == TRIES


def test_an_upload_that_is_refused_is_not_repeated(tmp_path: Path) -> None:
    api, part = Api(Stage()), written(tmp_path, "a.jsonl", "{}")
    api.upload_faults = [RejectedError("413", status=413)]
    with pytest.raises(RejectedError):
        uploads(api, tmp_path).ids(of(part))
    assert len(api.sent("upload")) == 1


def test_an_upload_is_not_repeated_once_the_run_was_asked_to_stop(tmp_path: Path) -> None:
    api, part = Api(Stage()), written(tmp_path, "a.jsonl", "{}")
    api.upload_faults = [OutcomeUnknownError("reset", transient=True)]
    api.stage.stop.up = True
    with pytest.raises(OutcomeUnknownError):
        uploads(api, tmp_path).ids(of(part))
    assert len(api.sent("upload")) == 1


def test_an_upload_that_failed_may_be_tried_by_the_next_spec(tmp_path: Path) -> None:
    api, part = Api(Stage()), written(tmp_path, "a.jsonl", "{}")
    api.upload_faults = [RejectedError("403", status=403)]
    shared = uploads(api, tmp_path)
    with pytest.raises(ReconcilerError):
        shared.ids(of(part))
    assert shared.ids(of(part)) == ("file-0",)
