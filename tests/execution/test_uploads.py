"""Uploads of input files: each content once, and only the planned content."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from reconciler.api.errors import OutcomeUnknownError, RateLimitedError, RejectedError
from reconciler.api.retry import Retrier, RetryPolicy
from reconciler.api.values import File
from reconciler.errors import ReconcilerError
from reconciler.execution.uploads import InputChangedError, Uploads
from reconciler.model import InputFile, JobSpec, UploadedFile
from reconciler.settings import UploadSettings
from reconciler.telemetry.progress import Progress, ProgressKind
from tests.helpers.fakes import Api, Stage, run
from tests.helpers.make import NOW, sha, spec


def written(root: Path, name: str, text: str) -> InputFile:
    (root / name).write_text(text)
    return InputFile(path=name, sha256=sha(text), size=len(text), requests=1)


def uploads(api: Api, root: Path) -> Uploads:
    return uploads_with(api, root, UploadSettings())


def uploads_with(api: Api, root: Path, upload_settings: UploadSettings) -> Uploads:
    return Uploads(run(api, root=root, uploads=upload_settings))


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
    assert sha("{}") in str(caught.value)
    assert sha("{} ") in str(caught.value)
    assert api.sent("upload") == []


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
    assert len(api.stage.clock.slept) == 2


def test_an_upload_is_repeated_when_the_api_says(tmp_path: Path) -> None:
    api, part = Api(Stage()), written(tmp_path, "a.jsonl", "{}")
    api.upload_faults = [RateLimitedError("429", status=429, transient=True, retry_after=40.0)]
    assert uploads(api, tmp_path).ids(of(part)) == ("file-0",)
    assert 40 <= api.stage.clock.slept[0] < 41


def test_uploads_share_the_deadline_of_the_run(tmp_path: Path) -> None:
    api, part = Api(Stage()), written(tmp_path, "a.jsonl", "{}")
    api.upload_faults = [OutcomeUnknownError("reset", transient=True) for _ in range(9)]
    retrier = Retrier(
        RetryPolicy(deadline_seconds=0),
        rng=random.Random(1),
        now=api.stage.clock,
        monotonic=api.stage.clock.monotonic,
        sleep=api.stage.clock.sleep,
    )
    shared = Uploads(replace(run(api, root=tmp_path), retrier=retrier))
    with pytest.raises(OutcomeUnknownError, match="reset") as caught:
        shared.ids(of(part))
    assert caught.value.gave_up == "the run's time for retries is over"
    assert len(api.sent("upload")) == 1


def test_an_upload_that_never_goes_through_is_given_up(tmp_path: Path) -> None:
    api, part = Api(Stage()), written(tmp_path, "a.jsonl", "{}")
    api.upload_faults = [OutcomeUnknownError("reset", transient=True) for _ in range(50)]
    with pytest.raises(OutcomeUnknownError):
        uploads(api, tmp_path).ids(of(part))
    assert len(api.sent("upload")) == RetryPolicy().max_attempts


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


def stored(text: str, *, file_id: str = "old", **facts: Any) -> File:  # noqa: ANN401 - any field
    known: dict[str, Any] = {
        "filename": f"{sha(text)}.jsonl",
        "created_at": int(NOW) - 3600,
        "size": len(text),
        "purpose": "batch",
        "sample_type": "batch_request",
        "source": "upload",
        "num_lines": 1,
        "expires_at": int(NOW) + 30 * 86400,
    }
    return File(id=file_id, **(known | facts))


def test_an_upload_of_an_earlier_run_is_used_again(tmp_path: Path) -> None:
    api, part = Api(Stage()), written(tmp_path, "a.jsonl", "{}")
    other = written(tmp_path, "b.jsonl", "[]")
    api.files = [stored("{}")]
    shared = uploads(api, tmp_path)
    assert shared.ids(of(part, other)) == ("old", "file-0")
    assert api.sent("files") == ["files 0"], "listed once a run"
    (facts,) = api.stage.log.of("input.reused")
    assert facts["file_id"] == "old"


@pytest.mark.parametrize(
    "facts",
    [
        {"filename": "a.jsonl"},
        {"filename": f"{sha('{}').upper()}.jsonl"},
        {"size": 3},
        {"size": None},
        {"num_lines": 2},
        {"source": "mistral"},
        {"source": None},
        {"sample_type": "batch_result"},
        {"purpose": "fine-tune"},
        {"deleted": True},
        {"expires_at": int(NOW) + 167 * 3600},
    ],
)
def test_an_upload_that_may_be_something_else_or_goes_too_soon_is_not_used(
    tmp_path: Path, facts: dict[str, Any]
) -> None:
    api, part = Api(Stage()), written(tmp_path, "a.jsonl", "{}")
    api.files = [stored("{}", **facts)]
    assert uploads(api, tmp_path).ids(of(part)) == ("file-0",)


def test_what_the_api_does_not_say_of_lines_and_expiry_speaks_for_nothing(tmp_path: Path) -> None:
    api, part = Api(Stage()), written(tmp_path, "a.jsonl", "{}")
    api.files = [stored("{}", num_lines=None, expires_at=None, sample_type=None)]
    assert uploads(api, tmp_path).ids(of(part)) == ("old",)


def test_a_list_of_uploads_that_cannot_be_read_costs_an_upload_and_no_more(tmp_path: Path) -> None:
    api, part = Api(Stage()), written(tmp_path, "a.jsonl", "{}")
    api.files, api.file_faults = [stored("{}")], [RejectedError("403", status=403)]
    assert uploads(api, tmp_path).ids(of(part)) == ("file-0",)
    assert api.stage.log.of("uploads.list_failed")


def test_nothing_is_used_again_if_the_settings_say_so(tmp_path: Path) -> None:
    api, part = Api(Stage()), written(tmp_path, "a.jsonl", "{}")
    api.files = [stored("{}")]
    upload_settings = UploadSettings(reuse=False, expiry_hours=48, visibility="user")
    assert uploads_with(api, tmp_path, upload_settings).ids(of(part)) == ("file-0",)
    assert api.sent("files") == []
    assert api.wishes == (48, "user")


def test_an_upload_for_others_is_not_used_if_a_private_one_is_wanted(tmp_path: Path) -> None:
    api, part = Api(Stage()), written(tmp_path, "a.jsonl", "{}")
    api.files = [stored("{}", visibility="workspace")]
    upload_settings = UploadSettings(visibility="user")
    assert uploads_with(api, tmp_path, upload_settings).ids(of(part)) == ("file-0",)


def test_an_upload_that_vanished_is_sent_again_and_the_others_stay(tmp_path: Path) -> None:
    api, part = Api(Stage()), written(tmp_path, "a.jsonl", "{}")
    other = written(tmp_path, "b.jsonl", "[]")
    api.files = [stored("{}"), stored("[]", file_id="other")]
    shared = uploads(api, tmp_path)
    ids = shared.ids(of(part, other))
    assert not shared.forget_deleted(ids)
    del api.files[0]
    assert shared.forget_deleted(ids)
    assert shared.ids(of(part, other)) == ("file-0", "other")


def test_a_pointer_of_git_lfs_needs_its_content_only_if_there_is_no_upload_of_it(tmp_path: Path) -> None:
    api, part = Api(Stage()), written(tmp_path, "a.jsonl", "{}")
    pointer = structs.replace(part, requests=None, pointer=True)
    with pytest.raises(ReconcilerError, match="Git LFS pointer") as caught:
        uploads(api, tmp_path).ids(of(pointer))
    assert caught.value.hint == 'git lfs pull --include "a.jsonl"'
    api.files = [stored("{}")]
    assert uploads(api, tmp_path).ids(of(pointer)) == ("old",)


def test_an_upload_is_read_back_if_the_settings_say_so(tmp_path: Path) -> None:
    api, part = Api(Stage()), written(tmp_path, "a.jsonl", "{}")
    api.files = [stored("{}", file_id="forged"), stored("{}", file_id="unread"), stored("{}")]
    api.contents = {"forged": b"[]", "old": b"{}"}
    assert uploads(api, tmp_path).ids(of(part)) == ("forged",), "by default no upload is read back"
    assert uploads_with(api, tmp_path, UploadSettings(verify=True)).ids(of(part)) == ("old",)
    (forged,) = api.stage.log.of("upload.content_mismatch")
    assert (forged["file_id"], forged["sha256"]) == ("forged", sha("[]"))
    (unread,) = api.stage.log.of("upload.verify_failed")
    assert unread["file_id"] == "unread"


def test_progress_counts_what_is_sent_and_takes_back_what_broke_off(tmp_path: Path) -> None:
    api, part = Api(Stage()), written(tmp_path, "a.jsonl", "{}")
    other = written(tmp_path, "b.jsonl", "[1]")
    api.files = [stored("[1]")]
    api.upload_faults = [OutcomeUnknownError("reset", transient=True)]
    reported = RecordedProgress()
    env = replace(api.stage.world(), progress=reported)
    shared = Uploads(replace(run(api, root=tmp_path), env=env))
    shared.expect([of(part, other), of(part)])
    shared.ids(of(part, other))
    assert reported.expected == [5, -3], "what is there already is not sent"
    assert reported.done == [1, -1, 2]


class RecordedProgress(Progress):
    """Keeps the reported progress of uploads."""

    watched = True

    def __init__(self) -> None:
        self.expected: list[int] = []
        self.done: list[int] = []

    def expect(self, work: ProgressKind, amount: int) -> None:
        assert work == "uploading"
        self.expected.append(amount)

    def advance(self, work: ProgressKind, amount: int) -> None:
        assert work == "uploading"
        self.done.append(amount)

    def end(self) -> None:
        pass
