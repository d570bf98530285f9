"""Open a run: the project, the target, the API, the log and the ledger, which are closed together, but for the log."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Final

import click
import msgspec

from reconciler.api.client import Reader, Writer
from reconciler.api.http import Observer
from reconciler.api.key import ApiKey
from reconciler.api.retry import Retrier, RetryPolicy
from reconciler.api.transport import offline_transport
from reconciler.cli.output.progress_bars import ProgressEvents, work_bars
from reconciler.cli.params.options import Common
from reconciler.cli.session import connect
from reconciler.cli.session.find_ledgers import local_ledger, shared_ledger
from reconciler.cli.session.target import open_project, target_of
from reconciler.context import ApiT, RunContext
from reconciler.environment import Environment, Ledger
from reconciler.errors import UsageError
from reconciler.ledger.file import hold_lock
from reconciler.ledger.replicated import ReplicatedLedger
from reconciler.settings import ApplyFrom
from reconciler.specs.project import STATE, make_own
from reconciler.telemetry.logs import LEVELS, LogSink
from reconciler.telemetry.traces import traced_run
from reconciler.vcs import provenance


@contextmanager
def open_run(
    kind: type[ApiT],
    common: Common,
    env: Environment,
    overrides: Mapping[str, object] | None = None,
    *,
    on_request: Observer | None = None,
    offline: bool = False,
    without_deadline: bool = False,
) -> Iterator[RunContext[ApiT]]:
    """Open a run. Its log stays open for the error that ends the command.

    A run of the kind `Writer` may write to the API while it holds the target's lock (`locked`). `overrides` are the
    guard options of the command line; `on_request` is called with the record of every request. An `offline` run needs
    no key and reaches neither the API nor a shared ledger. One `without_deadline` may take longer than others.
    """
    with ExitStack() as stack:
        run_id = f"{env.random.getrandbits(48):012x}"
        drawn = work_bars(env)
        bound = {"run_id": run_id, "project": "", "commit": ""}  # the last two as soon as they are known
        log = LogSink(
            stream=drawn.stream() if drawn else None,
            style=common.log_format,
            level=log_level(common, env),
            file=common.log_file and env.cwd / common.log_file,
            now=env.now,
            colour=env.colour("stderr"),
            check=env.check_event,
            bound=bound,
        )
        env.logs.append(log)
        command = click.get_current_context().command_path
        span = stack.enter_context(traced_run(env.environ, log, command, bound))
        project = open_project(common, env)
        target = target_of(common, env, project)
        if project.policy:
            project.policy.check_overrides(overrides or {})
        limits = project.settings.limits
        if target.sandbox:  # its list shows a new job at once, and results are complete
            limits = msgspec.structs.replace(limits, settle_seconds=0.0, late_seconds=0.0)
        if (target.sandbox and not offline) or kind is Writer:
            with suppress(OSError):  # the code that needs the folder reports the error
                make_own(project.root / STATE)
        git = env.git(project.root)
        checkout = git.checkout(project.spec_root)
        source = provenance.detect_source(
            checkout, git.origin(), env.environ, person=lambda: git.user_name() or env.user()
        )
        # The plan of a pull request shows what its merge does: it runs on another branch.
        exempt = target.sandbox or (kind is Reader and source.pull)
        apply_from = ApplyFrom() if exempt else project.settings.apply
        # CI checks out a commit, but its environment names the branch.
        checkout = msgspec.structs.replace(
            checkout, branch=source.branch, pushed=apply_from.pushed and git.pushed()
        )
        bound |= {"project": target.project, "commit": checkout.commit}
        retrier = Retrier(
            RetryPolicy(deadline_seconds=limits.deadline_seconds, long_lived=without_deadline),
            rng=env.random,
            now=env.now,
            monotonic=env.monotonic,
            sleep=env.sleep,
            on_pause=lambda seconds: log("requests.paused", seconds=math.ceil(seconds)),
        )
        key = ApiKey("none") if offline else connect.key(common, env, project, target)
        api = kind(
            base_url=target.base_url,
            key=key,
            transport=env.wrap_transport(
                offline_transport() if offline else connect.transport(env, project, target, stack)
            ),
            timeout_seconds=limits.timeout_seconds,
            retry=retrier,
            on_request=connect.observer(log, on_request),
        )
        stack.callback(api.close)
        if drawn:
            stack.callback(drawn.end)
        local = local_ledger(project, target)
        record: Ledger = local
        shared = None if offline else shared_ledger(common, project, target, env)
        place = project.settings.ledger
        if common.local_ledger and place != "local" and not (offline or target.sandbox):
            log("ledger.local_only", remote=project.settings.ledger_remote if place == "git" else place)
        elif shared:
            record = ReplicatedLedger(
                local=local,
                shared=shared,
                run_id=run_id,
                monotonic=env.monotonic,
                sleep=env.sleep,
                rng=env.random,
            )
        opened = replace(
            env,
            log=log,
            span=span,
            ledger=record,
            progress=drawn or ProgressEvents(log, env.monotonic),
            run_id=run_id,
        )
        yield RunContext(
            api=api,
            retrier=retrier,
            env=opened,
            project=project,
            target=target,
            limits=limits,
            guards=msgspec.structs.replace(project.settings.guards, **(overrides or {})),
            checkout=checkout,
            ancestry=git.ancestry,
            source=source,
            folder=local.path.parent,
            began=env.monotonic(),
            redact=key.redact,
            apply_from=apply_from,
        )


def log_level(common: Common, env: Environment) -> str:
    """Return the minimum level of events on stderr: `warning`, so that a job of cron reports only what went wrong.

    Raises `UsageError` if RECONCILER_LOG_LEVEL is not a level.
    """
    level = common.log_level or env.environ.get("RECONCILER_LOG_LEVEL", "").strip().lower() or "warning"
    if level not in LEVELS:
        raise UsageError(f"RECONCILER_LOG_LEVEL is {level!r}", hint=f"use one of {', '.join(LEVELS)}")
    return level


reading: Final = partial(open_run, Reader)
"""Opens a run that cannot write to the API."""
writing: Final = partial(open_run, Writer)
"""Opens a run that may write to the API while it holds the target's lock."""


@contextmanager
def locked(run: RunContext[ApiT]) -> Iterator[None]:
    """Hold the target's lock. Raises `LockHeldError` if another process on this host writes to the same target."""
    holder = f"run {run.env.run_id} on {run.env.name}"
    with hold_lock(run.folder, holder=holder):
        yield
