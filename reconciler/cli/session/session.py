"""Opens a run: the project, the target, the API, the log and the ledger, which are closed together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial

import msgspec

from reconciler.api.client import Reader, Writer
from reconciler.api.http import Observer
from reconciler.api.key import Key
from reconciler.api.retry import Retrier, RetryPolicy
from reconciler.api.transport import Nowhere
from reconciler.cli.output.progress_bars import Beats, work_bars
from reconciler.cli.params.guard_options import Consent
from reconciler.cli.params.options import Common
from reconciler.cli.session import connect
from reconciler.cli.session.ledgers import local_ledger, shared_ledger
from reconciler.cli.session.target import open_project, target_of
from reconciler.context import ApiT, Run
from reconciler.environment import Ledger, World
from reconciler.ledger import lock
from reconciler.ledger.replicated import JointLedger
from reconciler.specs.project import STATE, make_own
from reconciler.telemetry.logs import open_log
from reconciler.vcs import git, provenance


@contextmanager
def reading(
    common: Common,
    world: World,
    consent: Consent | None = None,
    *,
    ear: Observer | None = None,
    lasting: bool = False,
) -> Iterator[Run[Reader]]:
    """Open a session that cannot write to the API.

    Args:
        common: the common options.
        world: what the process has.
        consent: what the command line allows the guards to let pass.
        ear: hears of every request, beside the log.
        lasting: for what may take longer than the deadline of a run.
    """
    with ExitStack() as stack:
        yield _open(Reader, common, world, consent or Consent(), stack, ear=ear, lasting=lasting)


@contextmanager
def offline(common: Common, world: World, consent: Consent | None = None) -> Iterator[Run[Reader]]:
    """Open a session that needs no key and reaches neither the API nor a shared ledger."""
    with ExitStack() as stack:
        yield _open(Reader, common, world, consent or Consent(), stack, nowhere=True)


@contextmanager
def writing(
    common: Common, world: World, consent: Consent | None = None, *, ear: Observer | None = None
) -> Iterator[Run[Writer]]:
    """Open a session that may write, and hold the target's lock. The arguments are those of `reading`.

    Raises:
        LedgerError: another process on this host writes to the same target.
    """
    with ExitStack() as stack:
        run = _open(Writer, common, world, consent or Consent(), stack, ear=ear)
        stack.enter_context(locked(run))
        yield run


@contextmanager
def lasting(common: Common, world: World, consent: Consent | None = None) -> Iterator[Run[Writer]]:
    """Open a session that may write whenever it has the target's lock (`locked`), and that may last for days."""
    with ExitStack() as stack:
        yield _open(Writer, common, world, consent or Consent(), stack, lasting=True)


@contextmanager
def locked(run: Run[Writer]) -> Iterator[None]:
    """Hold the target's lock.

    Raises:
        HeldError: another process on this host writes to the same target.
    """
    holder = f"run {run.world.run_id} on {run.world.name}"
    with lock.held(run.folder, holder=holder):
        yield


def _open(
    kind: type[ApiT],
    common: Common,
    world: World,
    consent: Consent,
    stack: ExitStack,
    *,
    ear: Observer | None = None,
    nowhere: bool = False,
    lasting: bool = False,
) -> Run[ApiT]:
    project = open_project(common, world)
    target = target_of(common, world, project)
    limits = project.settings.limits
    if target.sandbox:  # what is created shows at once, and nothing arrives late
        limits = msgspec.structs.replace(limits, settle_seconds=0.0)
    if (target.sandbox and not nowhere) or kind is Writer:
        with suppress(OSError):  # whoever needs the folder says what is wrong with it
            make_own(project.root / STATE)
    checkout = git.checkout(project.root, project.spec_root)
    source = provenance.source(checkout, git.origin(project.root), world.environ)
    checkout = msgspec.structs.replace(
        checkout, branch=source.branch
    )  # CI checks out a commit, and knows of which branch
    run_id = f"{world.random.getrandbits(48):012x}"
    drawn = work_bars(world)
    log = stack.enter_context(
        open_log(
            stream=drawn.beside() if drawn else None,
            style=common.log_format,
            level=common.log_level or ("warning" if world.terminal("stderr") else "info"),
            file=common.log_file and world.cwd / common.log_file,
            now=world.now,
            colour=world.colour("stderr"),
            strict=world.strict,
            bound={"run_id": run_id, "project": target.project, "commit": checkout.commit},
        )
    )
    retrier = Retrier(
        RetryPolicy(deadline_seconds=None if lasting else limits.deadline_seconds),
        rng=world.random,
        monotonic=world.monotonic,
        sleep=world.sleep,
    )
    key = Key("none") if nowhere else connect.key(common, world, target)
    api = kind(
        base_url=target.base_url,
        key=key,
        transport=world.through(Nowhere() if nowhere else connect.transport(world, project, target, stack)),
        timeout_seconds=limits.timeout_seconds,
        retry=retrier,
        on_request=connect.observer(log, ear),
    )
    stack.callback(api.close)
    if drawn:
        stack.callback(drawn.end)
    local = local_ledger(project, target)
    record: Ledger = local
    shared = None if nowhere else shared_ledger(project, target, world)
    if shared and common.local_ledger:
        log("ledger.local_only", remote=shared.remote)
    elif shared:
        record = JointLedger(local, shared, run_id=run_id, now=world.now, sleep=world.sleep)
    opened = replace(
        world, log=log, ledger=record, progress=drawn or Beats(log, world.monotonic), run_id=run_id
    )
    return Run(
        api=api,
        retrier=retrier,
        world=opened,
        project=project,
        target=target,
        limits=limits,
        guards=consent.settings(project.settings.guards),
        allowed=consent.allowed(project.settings.guards),
        checkout=checkout,
        ancestry=partial(git.ancestry, project.root),
        source=source,
        folder=local.path.parent,
        began=world.monotonic(),
        redact=key.redact,
    )
