"""The safeguards of a ledger in an object store: without any one of them, some schedule with one must fail."""

from __future__ import annotations

from typing import Final

from tests.simulation.mutation import Mutation


def _without(name: str, module: str, old: str, new: str) -> Mutation:
    return Mutation(name, module, old, new, "--store")


SAFEGUARDS: Final = (
    _without(
        "segments are created without a condition",
        "ledger/objects.py",
        "            if self.store.create(path, data):\n                return\n",
        "            self.store.replace(path, data)\n            return\n",
    ),
    _without(
        "a lost answer is taken for a failure",
        "ledger/objects.py",
        "            failed = error\n",
        '            raise self._failure("written", error) from error\n',
    ),
    _without(
        "a segment that exists is taken for another run's",
        "ledger/objects.py",
        "        if there != data:\n",
        "        if there:\n",
    ),
    _without(
        "an unknown outcome is taken for success",
        "ledger/objects.py",
        "        if there is None:\n            raise",
        "        if there is None:\n            return\n            raise",
    ),
    _without(
        "a push continues what is there now",
        "ledger/objects.py",
        "        at = Tip.parse(tip)\n        if not at.number:\n",
        "        at = Tip.parse(self.fetch())\n        if not at.number:\n",
    ),
    _without(
        "a snapshot misses a segment",
        "ledger/mirror.py",
        "            for path in self.files(tip):\n",
        "            for path in self.files(tip)[:-1]:\n",
    ),
    _without(
        "what was read is taken for all there is",
        "ledger/objects.py",
        "        tip, wanted = self._mirror.tip(), 1\n",
        "        tip, wanted = self._mirror.tip(), 1\n        if tip.number:\n            return str(tip)\n",
    ),
    _without(
        "a new host takes the snapshot for all there is",
        "ledger/objects.py",
        "        tip = tip if tip.number else self._begun()\n",
        "        tip = tip if tip.number else self._begun()\n        if tip.number > 2:\n            return str(tip)\n",
    ),
)
