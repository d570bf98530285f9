"""The download of one file: it is streamed, continued and restarted, and a partial file is never visible."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from reconciler.api.client import Reader
from reconciler.api.errors import ApiError, NotFoundError, OutcomeUnknownError
from reconciler.outputs.digest import Fetched
from reconciler.outputs.download import MAX_BYTES, ContradictionError, fetch
from reconciler.outputs.leases import StoppedError
from tests.api.stage import BASE_URL, FILE_ID, SECRET, Clock, file, retrier

WHOLE = b"".join(b'{"custom_id":"r%d"}\n' % number for number in range(100))


class Broken(httpx.SyncByteStream):
    """A body that breaks off."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __iter__(self) -> Iterator[bytes]:
        yield self._data
        raise httpx.ReadError("connection reset by peer")


@dataclass
class Server(httpx.BaseTransport):
    """Has one file. Whether it continues, and how often it breaks off, is another value."""

    continues: bool = True
    breaks: int = 0
    size: int | None = len(WHOLE)
    declares: bool = True
    """Whether an answer says how long it is."""
    gone: bool = False
    wrong_part: bool = False
    asked: list[str] = field(default_factory=list)
    """The `Range` headers of the requests for content."""
    sent: int = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self.gone:
            return httpx.Response(404, json={"detail": "Not Found"})
        if not request.url.path.endswith("/content"):
            return httpx.Response(200, json=file(bytes=self.size))
        wanted = request.headers.get("range", "")
        self.asked.append(wanted)
        start = int(wanted[6:-1]) if wanted else 0
        if wanted and self.continues and start >= len(WHOLE):
            return httpx.Response(416, json={"detail": "no such bytes"})
        go_on = bool(wanted) and self.continues
        headers, data = {}, WHOLE
        if go_on:
            assert request.headers["accept-encoding"] == "identity"
            data = WHOLE[start:]
            shown = start - self.wrong_part
            headers["content-range"] = f"bytes {shown}-{len(WHOLE) - 1}/{len(WHOLE)}"
        elif self.declares:
            headers["content-length"] = str(len(WHOLE))
        if self.breaks:
            self.breaks -= 1
            cut = data[: len(data) // 2]
            self.sent += len(cut)
            return httpx.Response(206 if go_on else 200, headers=headers, stream=Broken(cut))
        self.sent += len(data)
        return httpx.Response(206 if go_on else 200, headers=headers, stream=httpx.ByteStream(data))


def bring(server: httpx.BaseTransport, place: Path, beat: Callable[[], None] = lambda: None) -> Fetched:
    again = retrier(clock=Clock())
    from reconciler.api.key import ApiKey

    with Reader(base_url=BASE_URL, key=ApiKey(SECRET), transport=server, retry=again) as reader:
        return fetch(reader, again, FILE_ID, place, heartbeat=beat)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "output.jsonl"


def part(place: Path, size: int) -> None:
    place.with_name(place.name + ".part").write_bytes(WHOLE[:size])


def check(place: Path, fetched: Fetched) -> None:
    assert place.read_bytes() == WHOLE
    assert fetched.sha256 == hashlib.sha256(WHOLE).hexdigest()
    assert (fetched.size, fetched.lines) == (len(WHOLE), 100)
    assert [path.name for path in place.parent.iterdir()] == [place.name]


def test_a_file_is_fetched_whole(place: Path) -> None:
    server = Server()
    fetched = bring(server, place)
    check(place, fetched)
    assert (server.asked, fetched.resumed_at) == ([""], None)


def test_a_file_that_is_whole_is_not_asked_for(place: Path) -> None:
    place.write_bytes(WHOLE)
    server = Server()
    fetched = bring(server, place)
    check(place, fetched)
    assert server.asked == []


def test_what_an_earlier_run_left_is_continued(place: Path) -> None:
    part(place, 700)
    server = Server()
    fetched = bring(server, place)
    check(place, fetched)
    assert (server.asked, server.sent, fetched.resumed_at) == (["bytes=700-"], len(WHOLE) - 700, 700)


def test_a_part_that_is_all_of_it_is_not_asked_for(place: Path) -> None:
    part(place, len(WHOLE))
    server = Server()
    check(place, bring(server, place))
    assert server.asked == []


def test_where_the_api_does_not_continue_the_file_comes_from_its_first_byte(place: Path) -> None:
    part(place, 700)
    server = Server(continues=False)
    fetched = bring(server, place)
    check(place, fetched)
    assert (server.sent, fetched.resumed_at) == (len(WHOLE), None)


def test_another_part_than_was_asked_for_is_not_taken(place: Path) -> None:
    part(place, 700)
    server = Server(wrong_part=True)
    check(place, bring(server, place))
    assert server.asked == ["bytes=700-", ""]


def test_a_part_beyond_the_end_is_thrown_away(place: Path) -> None:
    place.with_name("output.jsonl.part").write_bytes(WHOLE + b"more")
    server = Server()
    check(place, bring(server, place))
    assert server.asked == [""]


def test_no_bytes_from_there_on_means_from_the_first_byte(place: Path) -> None:
    place.with_name("output.jsonl.part").write_bytes(WHOLE + b"more")
    server = Server(size=None)
    check(place, bring(server, place))
    assert server.asked == [f"bytes={len(WHOLE) + 4}-", ""]


@pytest.mark.parametrize("continues", [True, False])
def test_a_connection_that_breaks_is_taken_up_again(place: Path, continues: bool) -> None:
    server = Server(continues=continues, breaks=3)
    check(place, bring(server, place))
    assert len(server.asked) == 4


def test_a_connection_that_breaks_without_end_is_given_up_and_its_part_stays(place: Path) -> None:
    server = Server(continues=False, breaks=99)
    with pytest.raises(OutcomeUnknownError):
        bring(server, place)
    assert not place.exists()
    assert place.with_name("output.jsonl.part").stat().st_size == len(WHOLE) // 2


def test_a_file_that_ends_too_early_is_not_whole(place: Path) -> None:
    server = Server(size=len(WHOLE) + 1, declares=False, continues=False)
    with pytest.raises(ApiError, match="ended after"):
        bring(server, place)
    assert not place.exists()


def test_an_unknown_size_is_no_reason_to_refuse(place: Path) -> None:
    check(place, bring(Server(size=None, declares=False), place))


@dataclass
class Endless(httpx.BaseTransport):
    """Describes a file of some bytes, and sends more without end."""

    size: int | None
    piece: bytes = b"x" * 1000
    sent: int = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/content"):
            return httpx.Response(200, json=file(bytes=self.size))
        return httpx.Response(200, stream=self.body())

    def body(self) -> httpx.SyncByteStream:
        outer = self

        class Body(httpx.SyncByteStream):
            def __iter__(self) -> Iterator[bytes]:
                while True:
                    outer.sent += len(outer.piece)
                    yield outer.piece

        return Body()


def test_a_file_without_end_ends_after_the_bytes_that_are_described(place: Path) -> None:
    server = Endless(size=5500)
    with pytest.raises(ContradictionError, match=r"output\.jsonl .* more than the 5,500 bytes"):
        bring(server, place)
    assert server.sent == 6000
    assert list(place.parent.iterdir()) == []


def test_a_file_of_unknown_length_ends_after_the_bytes_that_any_may_have(place: Path) -> None:
    class Large(bytes):
        def __len__(self) -> int:
            return MAX_BYTES // 2 + 1

    server = Endless(size=None, piece=Large(b"x"))
    with pytest.raises(ContradictionError, match="more than the 64,000,000,000 bytes"):
        bring(server, place)
    assert list(place.parent.iterdir()) == []


def test_a_file_that_is_gone_is_said_to_be(place: Path) -> None:
    with pytest.raises(NotFoundError):
        bring(Server(gone=True), place)


def test_a_download_that_is_stopped_goes_on_later(place: Path) -> None:
    beats = iter([None])

    def beat() -> None:
        if next(beats, 1):
            raise StoppedError

    server = Server(breaks=1)
    with pytest.raises(StoppedError):
        bring(server, place, beat)
    check(place, bring(server, place))
    assert server.sent == len(WHOLE)
