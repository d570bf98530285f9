"""The seal over the ledger: whatever is altered behind its back is found, and it never gets in the way."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.ledger import seal
from reconciler.ledger.file import FileLedger
from reconciler.ledger.lines import CreateRefused

from .make import modest


def line(number: int) -> CreateRefused:
    return CreateRefused(at=float(number), run_id="r1", op=f"o{number}", error="422")


@pytest.fixture
def ledger(tmp_path: Path) -> FileLedger:
    """Three lines, each appended by a run of its own."""
    for number in range(3):
        FileLedger(tmp_path).append(line(number))
    return FileLedger(tmp_path)


def test_what_was_only_appended_to_is_whole(ledger: FileLedger) -> None:
    assert seal.broken(ledger.path) == ""
    found = seal.read(ledger.path)
    assert found is not None
    assert (found.lines, found.bytes) == (3, ledger.path.stat().st_size)


def test_any_byte_that_is_altered_is_found(ledger: FileLedger) -> None:
    data = ledger.path.read_bytes()
    for at in range(len(data)):
        ledger.path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        assert seal.broken(ledger.path), at


def test_a_cut_is_found_even_after_more_was_appended(ledger: FileLedger) -> None:
    data = ledger.path.read_bytes()
    ledger.path.write_bytes(data[: data.index(b"\n") + 1])
    assert "it had 3 lines" in seal.broken(ledger.path)
    for number in range(3, 9):
        ledger.append(line(number))
        assert seal.broken(ledger.path)


def test_a_ledger_from_before_seals_is_sealed_as_it_stands(ledger: FileLedger) -> None:
    seal.path_of(ledger.path).unlink()
    assert seal.broken(ledger.path) == ""
    ledger.append(line(3))
    found = seal.read(ledger.path)
    assert found is not None
    assert found.lines == 4


def test_a_torn_line_costs_no_seal(ledger: FileLedger) -> None:
    with ledger.path.open("ab") as file:
        file.write(b'{"v": 1, "ki')
    assert seal.broken(ledger.path) == ""
    ledger.append(line(3))
    assert seal.broken(ledger.path) == ""
    assert len(ledger.read()) == 4


@pytest.mark.parametrize("damage", [b"", b"{}", b"null", b"\xff", b'{"bytes": "x"}'])
def test_a_damaged_seal_stops_nothing(ledger: FileLedger, damage: bytes) -> None:
    seal.path_of(ledger.path).write_bytes(damage)
    ledger.append(line(3))
    assert len(ledger.read()) == 4


def test_a_seal_that_cannot_be_written_stops_nothing(ledger: FileLedger) -> None:
    seal.path_of(ledger.path).unlink()
    seal.path_of(ledger.path).mkdir()
    ledger.append(line(3))
    assert len(ledger.read()) == 4


@modest
@given(st.lists(st.lists(st.binary(max_size=5).map(lambda it: it.replace(b"\n", b"")), max_size=4)))
def test_it_does_not_matter_in_how_many_pieces_lines_came(pieces: list[list[bytes]]) -> None:
    whole = seal.Seal()
    for piece in pieces:
        whole = seal.extended(whole, b"".join(it + b"\n" for it in piece))
    assert whole == seal.extended(seal.Seal(), b"".join(it + b"\n" for piece in pieces for it in piece))
