"""How the requests of two works differ."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model import RequestChange
from reconciler.requests import asked
from reconciler.requests.keys import digest_of, identify


def key(body: str) -> bytes:
    return body.encode().ljust(16, b".")


def lines(work: Mapping[str, str]) -> list[bytes]:
    """Return the lines of a work, given as custom_ids and bodies."""
    return [b'{"custom_id":"%b","body":{"n":%b}}' % (it.encode(), body.encode()) for it, body in work.items()]


def between(before: Mapping[str, str], after: Mapping[str, str], *, parsed: bool = False) -> RequestChange:
    """Compare two works; `parsed` if the job before had other bytes in each line."""
    said = [line.replace(b":", b" : ") if parsed else line for line in lines(before)]
    found = asked.read_inputs([b"\n".join(said)], model=None, longest=999, heartbeat=lambda: None)
    ids = b"".join(b'"%b"\n' % it.encode() for it in before)
    columns = {"ids": ids, "keys": bytes(found.keys), "lines": bytes(found.lines)}
    comparison = asked.Comparison(columns)
    keys = [comparison.key_of(line, None) for line in lines(after)]
    assert keys == [identify(line, None)[1] for line in lines(after)], "a key never depends on the job before"
    return comparison.change


TABLE = {
    "nothing, twice": ({}, {}, (0, 0, 0, 0, 0)),
    "the first requests": ({}, {"a": "1", "b": "2"}, (0, 2, 2, 0, 0)),
    "all are gone": ({"a": "1", "b": "2"}, {}, (2, 0, 0, 2, 0)),
    "the same": ({"a": "1", "b": "2"}, {"a": "1", "b": "2"}, (2, 2, 0, 0, 0)),
    "the same in another order": ({"a": "1", "b": "2"}, {"b": "2", "a": "1"}, (2, 2, 0, 0, 0)),
    "one is appended": ({"a": "1"}, {"a": "1", "b": "1"}, (1, 2, 1, 0, 0)),
    "one has another body": ({"a": "1", "b": "2"}, {"a": "1", "b": "3"}, (2, 2, 0, 0, 1)),
    "two change places": ({"a": "1", "b": "2"}, {"a": "2", "b": "1"}, (2, 2, 0, 0, 2)),
    "the first is gone": ({"a": "1", "b": "2", "c": "3"}, {"b": "2", "c": "3"}, (3, 2, 0, 1, 0)),
    "one comes between": ({"a": "1", "b": "2"}, {"a": "1", "c": "3", "b": "2"}, (2, 3, 1, 0, 0)),
    "one has another custom_id": ({"a": "1", "b": "2"}, {"a": "1", "c": "2"}, (2, 2, 1, 1, 0)),
}


@pytest.mark.parametrize("case", TABLE)
def test_the_table(case: str) -> None:
    before, after, (was, now, added, removed, changed) = TABLE[case]
    expected = RequestChange(before=was, after=now, added=added, removed=removed, changed=changed)
    assert between(before, after) == between(before, after, parsed=True) == expected


works = st.dictionaries(st.text("abcdef", min_size=1, max_size=2), st.sampled_from("123"), max_size=12)


@given(works, works, st.randoms())
def test_every_request_is_counted_once(before: dict[str, str], after: dict[str, str], random: object) -> None:
    found = between(before, after)
    kept = before.keys() & after.keys()
    assert (found.before, found.after) == (len(before), len(after))
    assert (found.added, found.removed) == (len(after.keys() - kept), len(before.keys() - kept))
    assert found.changed == sum(before[it] != after[it] for it in kept)
    mixed = [*after.items()]
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert between(before, dict(mixed)) == found


def test_the_digest_of_all_requests_is_pinned_and_has_no_order() -> None:
    """A change of this number submits requests again: never bless it."""
    one, two = key("1"), key("2")
    assert digest_of(one + two) == digest_of(bytearray(two + one)) == "63fe679eeb3e0edf552ae277cc3bfdb8"
    assert len({digest_of(it) for it in (b"", one, two, one + two, one + one)}) == 5


FORMS = (
    b'{"custom_id":"a","body":{"n":1,"x":"\xc3\xa9"}}\n{"custom_id":"b","body":{}}\n',
    b'{"custom_id":"b","body":{}}\n{"custom_id":"a","body":{"n":1,"x":"\xc3\xa9"}}',
    b' {"body": {"x": "\\u00e9", "n": 1.0}, "custom_id": "a"}\r\n{"body":{"model":"m"},"custom_id":"b"}\n\n',
)


def test_form_order_and_the_jobs_model_change_neither_keys_nor_digest(tmp_path: Path) -> None:
    def digest(data: bytes, model: str | None = "m") -> str:
        (tmp_path / "in").write_bytes(data)
        inputs: list[Path | bytes] = [tmp_path / "in", data]
        file, content = (
            asked.read_inputs([it], model=model, longest=999, heartbeat=lambda: None) for it in inputs
        )
        assert file == content
        assert sorted(file.places) == ["a", "b"]
        return digest_of(file.keys)

    assert len({digest(it) for it in FORMS}) == 1
    assert digest(FORMS[2], "another") != digest(FORMS[2])
    assert digest(FORMS[0].replace(b"1", b"2")) != digest(FORMS[0])
