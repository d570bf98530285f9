"""The fields of a policy file: what specs and settings may say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from reconciler import settings
from reconciler.constraints import about
from reconciler.specs.schema.job_fields import optional_fields
from reconciler.specs.schema.types import MetadataKey

if TYPE_CHECKING:
    from reconciler.settings import ApplyFrom as RequiredApply
    from reconciler.settings import Guards as MaxGuards
    from reconciler.settings import Limits as MaxLimits
else:
    MaxGuards = optional_fields("MaxGuards", of=settings.Guards)
    MaxLimits = optional_fields("MaxLimits", of=settings.Limits)
    RequiredApply = optional_fields("RequiredApply", of=settings.ApplyFrom)

Globs = Annotated[list[Annotated[str, Meta(min_length=1)]], Meta(min_length=1)]


class PolicyFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The contents of a policy file."""

    message: Annotated[
        Annotated[str, Meta(min_length=1, max_length=500)] | UnsetType,
        about("A sentence that each error of the policy ends with, such as the team to ask."),
    ] = UNSET
    allowed_models: Annotated[
        Globs | UnsetType, about("Globs of the models that specs may name.", ["mistral-small-*"])
    ] = UNSET
    allowed_endpoints: Annotated[
        Globs | UnsetType, about("Globs of the endpoints that specs may name.", ["/v1/chat/completions"])
    ] = UNSET
    allow_agents: Annotated[
        bool | UnsetType,
        about(
            "Whether specs may name an agent. If this is missing, they may only without `allowed_models`, since an "
            "agent has a model of its own."
        ),
    ] = UNSET
    required_metadata: Annotated[
        dict[MetadataKey, Globs],
        about(
            "Keys that the metadata of each job must have, and for each key globs of its values.",
            {"team": ["search", "billing"], "cost_centre": ["cc-[0-9][0-9]"], "owner": ["*"]},
        ),
    ] = {}
    may_adopt: Annotated[
        bool | Globs,
        about(
            "Whether specs may adopt jobs; or globs of `project/name` of the specs that may.", ["search/*"]
        ),
    ] = True
    max_guards: Annotated[
        MaxGuards,
        about(
            "The largest value of each guard, in settings and on the command line. `false` forbids an `allow_…`."
        ),
    ] = MaxGuards()
    max_limits: Annotated[MaxLimits, about("The largest value of each limit.")] = MaxLimits()
    required_apply: Annotated[
        RequiredApply,
        about(
            "Rules about the checkout that `apply` in the settings has at least; with `only_from`, globs that it may "
            "choose from. A rule forbids its `allow_…`, unless `max_guards` allows that.",
            {"only_from": ["main"], "clean": True, "pushed": True},
        ),
    ] = RequiredApply()
