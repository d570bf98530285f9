"""The fields of `reconciler.yaml` as it is written: one project, or several environments with a project each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from msgspec import UNSET, Meta, Struct, UnsetType

from reconciler.constraints import NAME_PATTERN, NAME_RULE, about, matching
from reconciler.settings import ApplyFrom, Guards, ProjectName, Settings
from reconciler.specs.schema.job_fields import optional_fields

if TYPE_CHECKING:
    SetFields = dict[str, Any]
else:
    SetFields = optional_fields("SetFields", {"name"})

_EnvironmentName = Annotated[str, matching(NAME_PATTERN, "not a name of an environment", NAME_RULE, end="")]


class EnvironmentFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One environment: a project of its own, with the same specs."""

    project: Annotated[
        ProjectName, about("Identifies the jobs of the environment. No two have the same one.")
    ]
    set: Annotated[
        dict[Annotated[str, Meta(min_length=1)], SetFields],
        about(
            "Fields to replace in specs: for a glob of their names as written, such as `nightly-*`, each field with "
            "its value. Any field of a spec except `name`; a value is replaced as a whole. Paths are relative to "
            "the spec."
        ),
    ] = {}
    guards: Annotated[Guards, about("Guards that differ from those of the file.")] = Guards()
    apply: Annotated[ApplyFrom, about("Rules about the checkout that differ from those of the file.")] = (
        ApplyFrom()
    )


class SettingsFile(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The contents of `reconciler.yaml`."""

    EXACTLY_ONE: ClassVar = (("project", "environments"),)

    project: Annotated[
        ProjectName | UnsetType,
        about(
            "Identifies your jobs: it is written into every job. Set it before the first apply; "
            f"changing it later resubmits everything. {NAME_RULE}."
        ),
    ] = UNSET  # type: ignore[assignment]  # then the chosen environment has it
    environments: Annotated[
        Annotated[dict[_EnvironmentName, EnvironmentFields], Meta(min_length=1)] | UnsetType,
        about("In place of `project`: [environments](#environments), of which `--env` chooses one."),
    ] = UNSET

    def __post_init__(self) -> None:
        """Check the rule that the types cannot express.

        Raises:
            ValueError: neither a project nor environments, or both.
        """
        if (self.project is UNSET) == (self.environments is UNSET):
            raise ValueError("either project or environments")
