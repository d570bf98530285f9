"""The policy: a file from outside of the checkout that says what specs and settings may say. Pure.

A value that is written above a ceiling of the policy is an error. One that is not written has its default, or the
ceiling if that is lower. Rules about the checkout are the same the other way round: no setting is looser than them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final, TypeAlias

from msgspec import UNSET, Struct
from msgspec.structs import asdict, replace

from reconciler.errors import Problem, UsageError
from reconciler.settings import Settings
from reconciler.specs.environments import name_of
from reconciler.specs.families import ExpandedJob
from reconciler.specs.schema.project_files import PolicyFile
from reconciler.specs.yaml.tree import Document, Path
from reconciler.text.suggest import some

_GROUPS: Final = {"guards": "max_guards", "limits": "max_limits", "apply": "required_apply"}
"""For each group of settings that a policy bounds, the field with its bounds."""
_WAIVED: Final = {"allow_other_branch": "only_from", "allow_dirty": "clean", "allow_unpushed": "pushed"}
"""For each guard that waives a rule about the checkout, the rule. If it is required, the guard is forbidden."""
_Violations: TypeAlias = Iterator[tuple[Path, str, str]]
"""Values of a spec that the policy forbids: where, the message, and the hint."""


class Policy(Struct, frozen=True):
    """A policy that was read."""

    file: PolicyFile
    document: Document
    sha256: str
    """Of the file."""
    project: str
    """The project whose specs it is for."""

    def spec_problems(self, spec: Document, members: Sequence[ExpandedJob]) -> Iterator[Problem]:
        """Yield what the policy forbids in a spec that makes the jobs `members`."""
        for name, rule in RULES.items():
            # Without `allow_agents`, what forbids agents is `allowed_models`.
            field = name if self.document.find((name,)) is not None else "allowed_models"
            for path, message, hint in rule(self, spec, members):
                yield spec.problem(path, message, f"{hint} {self._rule(field)}")

    def setting_problems(self, settings: Document, environment: str) -> Iterator[Problem]:
        """Yield the guards, limits, places of inputs and rules about the checkout that the policy does not allow."""
        for group in _GROUPS:
            for where in ((group,), ("environments", environment, group)):
                for name, bound in self._exceeded(group, settings.at(where) or {}).items():
                    message = f"{group}.{name}: the policy allows {_shown(bound)}"
                    hint = f"change or remove it {self._rule(*self._bound(group, name)[1])}"
                    yield settings.problem((*where, name), message, hint)
        for at, prefix in enumerate(settings.at(("input_uris",)) or ()):
            if not prefix.startswith(self._input_uris):
                message = f"input_uris: the policy does not allow `{prefix}`"
                hint = f"{_allowed(self._input_uris or ('none',))} {self._rule('allowed_input_uris')}"
                yield settings.problem(("input_uris", at), message, hint)

    def price_problems(self, path: str) -> Iterator[Problem]:
        """Yield the problem with a file of prices, if the policy allows none."""
        if not self.file.may_set_prices:
            hint = f"remove it {self._rule('may_set_prices')}"
            yield Problem(path=path, message="the policy does not allow a project to set prices", hint=hint)

    def check_overrides(self, overrides: Mapping[str, object]) -> None:
        """Refuse guard options of the command line above their ceilings, and those that waive a required rule.

        Raises `UsageError` if some are; names all of them.
        """
        above = [
            f"{_shown(most)} for --{name.replace('_', '-')} {self._rule(*self._bound('guards', name)[1])}"
            for name, most in self._exceeded("guards", overrides).items()
        ]
        if above:
            raise UsageError(f"the policy allows {'; '.join(above)}", hint="lower or remove the option")

    def capped(self, settings: Settings) -> Settings:
        """Return settings with no guard or limit above its ceiling, and all rules about inputs and the checkout."""
        held = {group: getattr(settings, group) for group in _GROUPS}
        return replace(
            settings,
            input_uris=tuple(it for it in settings.input_uris if it.startswith(self._input_uris)),
            **{group: replace(it, **self._exceeded(group, asdict(it))) for group, it in held.items()},
        )

    @property
    def _input_uris(self) -> tuple[str, ...]:
        """The beginnings that places of inputs may have."""
        allowed = self.file.allowed_input_uris
        return ("",) if allowed is UNSET else tuple(allowed)

    def _exceeded(self, group: str, given: Mapping[str, object]) -> dict[str, Any]:
        """Return the bounds of a group that given values do not keep, by name."""
        bounds = {name: self._bound(group, name)[0] for name in given}
        keeps = _is_as_strict if group == "apply" else lambda value, most: _rank(value) <= _rank(most)
        return {
            name: bounds[name]
            for name, value in given.items()
            if bounds[name] is not UNSET and not keeps(value, bounds[name])
        }

    def _bound(self, group: str, name: str) -> tuple[Any, Path]:
        """Return the bound of a setting, UNSET if it has none, and the path of the rule."""
        field, rule = _GROUPS[group], _WAIVED.get(name, "")
        bound = getattr(getattr(self.file, field), name)
        if bound is UNSET and rule and getattr(self.file.required_apply, rule):
            return False, ("required_apply", rule)
        return bound, (field, name)

    def _rule(self, *path: str | int) -> str:
        """Return the file and line of a rule, and the policy's sentence."""
        line = self.document.key_place(path).line + 1
        return f"({self.document.source.path}:{line})" + (
            f". {self.file.message}" if self.file.message else ""
        )


def named(spec: Document, field: str) -> Iterator[tuple[Path, str]]:
    """Yield the models, endpoints or agents that a spec names, each with its path."""
    if spec.value.get(field):
        yield (field,), spec.value[field]
    listed = (spec.value.get("matrix") or {}).get(field) or ()
    yield from ((("matrix", field, at), name) for at, name in enumerate(listed))


def _one_of(field: str, name: str) -> Callable[[Policy, Document, Sequence[ExpandedJob]], _Violations]:
    def rule(policy: Policy, spec: Document, _: Sequence[ExpandedJob]) -> _Violations:
        globs = getattr(policy.file, field)
        for path, value in named(spec, name):
            if globs is not UNSET and not _matches(value, globs):
                yield path, f"{name}: the policy does not allow `{value}`", _allowed(globs)

    return rule


def _agents(policy: Policy, spec: Document, _: Sequence[ExpandedJob]) -> _Violations:
    allowed, without_models = policy.file.allow_agents, policy.file.allowed_models is UNSET
    for path, _value in named(spec, "agent_id"):
        if not (without_models if allowed is UNSET else allowed):
            yield path, "agent_id: the policy does not allow agents", "name a `model`"


def _metadata(policy: Policy, spec: Document, members: Sequence[ExpandedJob]) -> _Violations:
    texts = spec.texts(("metadata",))
    for key, globs in policy.file.required_metadata.items():
        if key not in texts:
            yield ("metadata",), f"metadata: the policy requires `{key}`", _allowed(globs)
        for value in dict.fromkeys(member.text(texts[key]) for member in members if key in texts):
            if not _matches(value, globs):
                message = f"metadata.{key}: the policy does not allow `{value}`"
                yield ("metadata", key), message, _allowed(globs)


def _adoption(policy: Policy, spec: Document, _: Sequence[ExpandedJob]) -> _Violations:
    may, name = policy.file.may_adopt, f"{policy.project}/{name_of(spec)}"
    if "adopt" in spec.value and not (may if isinstance(may, bool) else _matches(name, may)):
        hint = "remove it" if isinstance(may, bool) else _allowed(may)
        yield ("adopt",), f"adopt: the policy does not allow it for `{name}`", hint


RULES: Final = {
    "allowed_models": _one_of("allowed_models", "model"),
    "allowed_endpoints": _one_of("allowed_endpoints", "endpoint"),
    "allow_agents": _agents,
    "required_metadata": _metadata,
    "may_adopt": _adoption,
}
"""For each field of a policy about specs, its rule."""


def _matches(text: str, globs: Sequence[str]) -> bool:
    return any(fnmatchcase(text, glob) for glob in globs)


def _allowed(globs: Sequence[str]) -> str:
    return f"allowed: {some(globs)}"


def _is_as_strict(value: Any, required: Any) -> bool:  # noqa: ANN401 - a boolean, or globs of branches
    if isinstance(required, bool):
        return value or not required
    return not required or (len(value) > 0 and set(value) <= set(required))


def _rank(value: Any) -> float:  # noqa: ANN401 - a number, a boolean, or null for no limit
    return math.inf if value is None else float(value)


def _shown(bound: Any) -> str:  # noqa: ANN401 - likewise, or globs of branches
    if isinstance(bound, bool):
        return f"only {str(bound).lower()}"
    return (
        f"at most {bound:,}".removesuffix(".0") if isinstance(bound, int | float) else f"only {some(bound)}"
    )
