"""`cached_property` without the lock that Python 3.11 takes for each value: a plan works out a dozen for each name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from functools import cached_property as cached_property  # noqa: PLC0414 - so that mypy lets others import it
else:

    class cached_property:  # noqa: N801 - in place of the one of `functools`
        """A value that is worked out when it is first used; two threads may do so, with the same result."""

        def __init__(self, compute: Callable[[object], object]) -> None:
            self.compute, self.name, self.__doc__ = compute, compute.__name__, compute.__doc__

        def __get__(self, instance: object, owner: type) -> object:
            if instance is None:
                return self
            value = instance.__dict__[self.name] = self.compute(instance)
            return value
