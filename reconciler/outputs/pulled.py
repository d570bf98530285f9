"""The pulled results of one job: checked by the digests in their summary, and read as the outcome of each request."""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import Final, NamedTuple

from reconciler.documents.result_summary import NAME, FileDoc, ResultSummary, decode
from reconciler.outputs.digest import read
from reconciler.outputs.paths import ERRORS, OUTPUT
from reconciler.outputs.store import ResultStore
from reconciler.planning.coverage import ANSWERED_INVALID, ANSWERED_TRUNCATED, ANSWERED_VALID, Outcomes
from reconciler.requests import answered, asked
from reconciler.requests.answers import OK
from reconciler.requests.checks import INVALID, TRUNCATED
from reconciler.requests.keys import KEY_BYTES

_ANSWER: Final = {INVALID: ANSWERED_INVALID, TRUNCATED: ANSWERED_TRUNCATED}
_INDEXES: Final = (asked.NAME, answered.NAME)


class Pulled(NamedTuple):
    """The pulled results of one job."""

    store: ResultStore
    folder: str
    summary: ResultSummary

    @property
    def answers_gone(self) -> bool:
        """Whether the provider no longer had a file with answers. Without its errors alone, its answers count."""
        states = {doc.path: doc.state for doc in self.summary.files}
        return states.get(OUTPUT) == "gone" or (OUTPUT not in states and states.get(ERRORS) == "gone")

    def outcomes(self, none: str) -> tuple[bytes, Outcomes | None]:
        """Return the keys of what the job was asked, and the outcomes; `none` is the kind of a request without a line.

        No keys if its inputs were not available when its results were pulled, or an index is not what was written.
        """
        docs = {doc.path: doc for doc in self.summary.files if doc.state == "whole"}
        if not docs.keys() >= {*_INDEXES}:
            return b"", None
        places = {name: self.store.fetch(f"{self.folder}/{name}", docs[name].bytes) for name in _INDEXES}
        if not all(_is_whole(place, docs[name]) for name, place in places.items()):
            return b"", None
        was_asked, came = asked.load(places[asked.NAME]), answered.load(places[answered.NAME])
        if was_asked is None or came is None or not was_asked.head["ordered"]:
            return b"", None
        same = {was_asked.head["job"], came.head["job"]} == {self.summary.job_id}
        if not same or len(came.file) * KEY_BYTES != len(was_asked.keys):
            return b"", None
        return was_asked.keys, outcomes_of(came, none)

    @property
    def lost_an_index(self) -> bool:
        """Whether an index is not what was written."""
        docs = (doc for doc in self.summary.files if doc.state == "whole" and doc.path in _INDEXES)
        return not all(_is_whole(self.store.fetch(f"{self.folder}/{it.path}", it.bytes), it) for it in docs)

    def forget_damaged(self) -> None:
        """Delete the summary, the indexes and the damaged files, so that a pull makes them again. Whole files stay.

        Those of an object store are kept on this machine for that pull: the provider may no longer have them.
        """
        for doc in self.summary.files:
            place = self.store.fetch(f"{self.folder}/{doc.path}", doc.bytes) if doc.state == "whole" else None
            if place is not None and (doc.path in _INDEXES or not _is_whole(place, doc)):
                self.store.remove(f"{self.folder}/{doc.path}")
                place.unlink(missing_ok=True)
        self.store.remove(f"{self.folder}/{NAME}")


def find(store: ResultStore, folder: str | None) -> Pulled | None:
    """Return the results in a folder; None if it has no summary. Raises `OSError`."""
    summary = decode(store.read(f"{folder}/{NAME}"), ResultSummary) if folder else None
    return Pulled(store, folder, summary) if folder and summary else None


def _is_whole(place: Path, doc: FileDoc) -> bool:
    return place.exists() and read(place, lambda: None).result().sha256 == doc.sha256


def outcomes_of(came: answered.AnswersIndex, none: str) -> Outcomes:
    """Return the outcome of each request; `none` is the kind of one without a line.

    As many of these as there are error lines that name no request have the kinds of those lines.
    """
    known: dict[tuple[bool, int, int], int] = {}
    kinds: list[str] = []
    column = array("H", bytes(2 * len(came.file)))
    for at, triple in enumerate(zip(map(bool, came.file), came.kind, came.verdict, strict=True)):
        if triple not in known:
            there, kind, verdict = triple
            name = came.kinds[kind]
            answer = _ANSWER.get(verdict, ANSWERED_VALID) if name == OK else name
            known[triple] = len(kinds)
            kinds.append(answer if there else none)
        column[at] = known[triple]
    nameless = [name for name, number in sorted(came.unnamed.items()) for _ in range(number)]
    for at, name in zip((at for at, file in enumerate(came.file) if not file), nameless, strict=False):
        if name not in kinds:
            kinds.append(name)
        column[at] = kinds.index(name)
    return Outcomes(kinds=tuple(kinds), kind=column)
