"""The fields of `reconciler.yaml` as it is written: one project, or several environments with a project each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from msgspec import UNSET, Meta, Struct, UnsetType

from reconciler.constraints import NAME_PATTERN, NAME_RULE, matching
from reconciler.settings import ApplyFrom, Guards, ProjectName, Settings
from reconciler.specs.schema.job_fields import JobFields, fields_of
from reconciler.specs.schema.types import Grouped, optional_fields

if TYPE_CHECKING:
    SetFields = dict[str, Any]
else:
    SetFields = optional_fields("SetFields", fields_of(JobFields, {"name"}))

_EnvironmentName = Annotated[str, matching(NAME_PATTERN, "not a name of an environment", NAME_RULE, end="")]


class EnvironmentFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One environment: a project of its own, with the same specs."""

    project: ProjectName
    """Identifies the jobs of the environment. No two have the same one."""
    set: dict[Annotated[str, Meta(min_length=1)], SetFields] = {}
    """Fields to replace in specs: for a glob of their names as written, such as `nightly-*`, each field with its value.
    Any field of a spec except `name`; a value is replaced as a whole. Paths are relative to the spec."""
    guards: Guards = Guards()
    """Guards that differ from those of the file."""
    apply: ApplyFrom = ApplyFrom()
    """Rules about the checkout that differ from those of the file."""


class SettingsFile(Settings, Grouped, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The contents of `reconciler.yaml`."""

    EXACTLY_ONE: ClassVar = (("project", "environments"),)

    project: ProjectName | UnsetType = UNSET  # type: ignore[assignment]  # then the chosen environment has it
    """Identifies your jobs: it is written into every job. Set it before the first apply; changing it later resubmits
    everything. 1 to 100 of a-z, 0-9, `.`, `_` and `-`, beginning with a letter or a digit."""
    environments: Annotated[dict[_EnvironmentName, EnvironmentFields], Meta(min_length=1)] | UnsetType = UNSET
    """In place of `project`: [environments](#environments), of which `--env` chooses one."""
