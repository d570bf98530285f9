"""The overlay of settings that were not read from a file."""

from __future__ import annotations

from typing import Final

from yaml import ScalarEvent

from reconciler.specs.environments import Overlay
from reconciler.specs.yaml.source import SourceFile
from reconciler.specs.yaml.tree import Document

_EMPTY: Final = ScalarEvent(None, None, (True, False), "")
NO_OVERLAY: Final = Overlay(
    Document(SourceFile("reconciler.yaml", ""), _EMPTY, None, (), incomplete=False), environment=""
)
