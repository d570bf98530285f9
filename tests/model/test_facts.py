"""`cached_property` works out a value once for each object, also of a frozen struct."""

from __future__ import annotations

from msgspec import Struct

from reconciler.facts import cached_property

worked_out: list[int] = []


class Square(Struct, frozen=True, dict=True):
    """A number and its square."""

    side: int

    @cached_property
    def area(self) -> int:
        """The square of the number."""
        worked_out.append(self.side)
        return self.side**2


def test_a_value_is_worked_out_once_for_each_object() -> None:
    first, second = Square(2), Square(3)
    assert [first.area, second.area, first.area, second.area] == [4, 9, 4, 9]
    assert worked_out == [2, 3]


def test_the_class_shows_the_text_of_the_property() -> None:
    assert Square.area.__doc__ == "The square of the number."
