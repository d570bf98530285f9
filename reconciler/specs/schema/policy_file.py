"""The fields of a policy file: what specs and settings may say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from reconciler import settings
from reconciler.constraints import such_as
from reconciler.specs.schema.job_fields import fields_of
from reconciler.specs.schema.types import MetadataKey, optional_fields

if TYPE_CHECKING:
    from reconciler.settings import ApplyFrom as RequiredApply
    from reconciler.settings import Guards as MaxGuards
    from reconciler.settings import Limits as MaxLimits
else:
    MaxGuards = optional_fields("MaxGuards", fields_of(settings.Guards))
    MaxLimits = optional_fields("MaxLimits", fields_of(settings.Limits))
    RequiredApply = optional_fields("RequiredApply", fields_of(settings.ApplyFrom))

Globs = Annotated[list[Annotated[str, Meta(min_length=1)]], Meta(min_length=1)]


class PolicyFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The contents of a policy file."""

    message: Annotated[str, Meta(min_length=1, max_length=500)] | UnsetType = UNSET
    """A sentence that each error of the policy ends with, such as the team to ask."""
    allowed_models: Annotated[Globs | UnsetType, such_as(["mistral-small-*"])] = UNSET
    """Globs of the models that specs may name."""
    allowed_endpoints: Annotated[Globs | UnsetType, such_as(["/v1/chat/completions"])] = UNSET
    """Globs of the endpoints that specs may name."""
    allow_agents: bool | UnsetType = UNSET
    """Whether specs may name an agent. If this is missing, they may only without `allowed_models`, since an agent has a
    model of its own."""
    required_metadata: Annotated[
        dict[MetadataKey, Globs],
        such_as({"team": ["search", "billing"], "cost_centre": ["cc-[0-9][0-9]"], "owner": ["*"]}),
    ] = {}
    """Keys that the metadata of each job must have, and for each key globs of its values."""
    may_adopt: Annotated[bool | Globs, such_as(["search/*"])] = True
    """Whether specs may adopt jobs; or globs of `project/name` of the specs that may."""
    max_guards: MaxGuards = MaxGuards()
    """The largest value of each guard, in settings and on the command line. `false` forbids an `allow_…`."""
    max_limits: MaxLimits = MaxLimits()
    """The largest value of each limit."""
    required_apply: Annotated[
        RequiredApply, such_as({"only_from": ["main"], "clean": True, "pushed": True})
    ] = RequiredApply()
    """Rules about the checkout that `apply` in the settings has at least; with `only_from`, globs that it may choose
    from. A rule forbids its `allow_…`, unless `max_guards` allows that."""
