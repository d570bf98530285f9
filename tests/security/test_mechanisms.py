"""Each mechanism of `docs/security.md` can be switched off, so that the command beside this module checks its tests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.security.mechanisms import ROOT, SWITCHES, Switch, first_failure, named_tests, switch_off, table

PAGE = (ROOT / "docs/security.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("switch", SWITCHES, ids=lambda it: it.what)
def test_the_text_that_switches_a_mechanism_off_occurs_once_and_the_page_names_its_tests(
    switch: Switch,
) -> None:
    source = (ROOT / switch.path).read_text(encoding="utf-8")
    assert [source.count(old) for old, _ in switch.edits] == [1] * len(switch.edits)
    assert all(table(PAGE).get(attack) for attack in switch.attacks)


def test_the_page_lists_the_mechanisms_that_are_switched_off() -> None:
    listed = re.findall(r"^\d+\. \*\*(.+?)\.\*\*", PAGE, re.MULTILINE)
    assert [it.lower() for it in listed] == list(dict.fromkeys(it.mechanism for it in SWITCHES))


def test_a_switch_that_finds_nothing_to_change_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("twice twice", encoding="utf-8")
    with pytest.raises(ValueError, match="2 times, not once"):
        switch_off(Switch("none", "none", "file", (), (("twice", ""),)), tmp_path)


@pytest.mark.thorough
def test_tests_that_pass_notice_nothing_and_one_that_fails_is_named(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_it.py").write_text("def test_a(): pass\ndef test_b(): assert 0\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "conftest.py").write_text(
        "def pytest_addoption(parser): parser.addoption('--thorough', action='store_true')\n"
    )
    assert first_failure(["tests/test_it.py::test_a"], tmp_path) == ""
    assert first_failure(["tests/test_it.py"], tmp_path) == "test_b"


@pytest.mark.long
@pytest.mark.timeout(0)
@pytest.mark.parametrize("switch", SWITCHES, ids=lambda it: it.what)
def test_a_mechanism_that_is_switched_off_is_noticed(switch: Switch) -> None:
    from tests.security.mechanisms import copied

    with copied() as copy:
        switch_off(switch, copy)
        assert first_failure(named_tests([switch]), copy)
