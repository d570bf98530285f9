"""What a command works with: the project, the target, the API and the world, opened together and closed together."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic

import msgspec
from msgspec.structs import replace

from reconciler import git, provenance
from reconciler.api.client import Reader, Writer
from reconciler.api.exchange import Observer
from reconciler.api.key import Key
from reconciler.api.retry import Retrier, RetryPolicy
from reconciler.api.transport import Nowhere
from reconciler.cli import connect
from reconciler.cli.consent import Consent
from reconciler.cli.host import Host
from reconciler.cli.ledgers import local_ledger, shared_ledger
from reconciler.cli.options import Common
from reconciler.cli.progress import Beats, work_bars
from reconciler.cli.target import open_project, target_of
from reconciler.ledger import lock
from reconciler.ledger.joint import JointLedger
from reconciler.logs import open_log
from reconciler.run import ApiT, Run
from reconciler.specs.project import STATE, Project, make_own
from reconciler.world import Ledger, World


@dataclass(frozen=True, kw_only=True)
class Session(Generic[ApiT]):
    """One command's work."""

    host: Host
    project: Project
    run: Run[ApiT]
    folder: Path
    """Where this target's ledger and lock are."""
    began: float
    """On the monotonic clock."""
    redact: Callable[[str], str]
    """Takes the key out of a text."""


@contextmanager
def reading(
    common: Common,
    host: Host,
    consent: Consent | None = None,
    *,
    ear: Observer | None = None,
    lasting: bool = False,
) -> Iterator[Session[Reader]]:
    """Open a session that cannot write to the API.

    Args:
        common: the common options.
        host: the machine.
        consent: what the command line allows the guards to let pass.
        ear: hears of every request, beside the log.
        lasting: for what may take longer than the deadline of a run.
    """
    with ExitStack() as stack:
        yield _open(Reader, common, host, consent or Consent(), stack, ear=ear, lasting=lasting)


@contextmanager
def offline(common: Common, host: Host, consent: Consent | None = None) -> Iterator[Session[Reader]]:
    """Open a session that needs no key and reaches neither the API nor a shared ledger."""
    with ExitStack() as stack:
        yield _open(Reader, common, host, consent or Consent(), stack, nowhere=True)


@contextmanager
def writing(
    common: Common, host: Host, consent: Consent | None = None, *, ear: Observer | None = None
) -> Iterator[Session[Writer]]:
    """Open a session that may write, and hold the target's lock. The arguments are those of `reading`.

    Raises:
        LedgerError: another process on this host writes to the same target.
    """
    with ExitStack() as stack:
        session = _open(Writer, common, host, consent or Consent(), stack, ear=ear)
        stack.enter_context(locked(session))
        yield session


@contextmanager
def lasting(common: Common, host: Host, consent: Consent | None = None) -> Iterator[Session[Writer]]:
    """Open a session that may write whenever it has the target's lock (`locked`), and that may last for days."""
    with ExitStack() as stack:
        yield _open(Writer, common, host, consent or Consent(), stack, lasting=True)


@contextmanager
def locked(session: Session[Writer]) -> Iterator[None]:
    """Hold the target's lock.

    Raises:
        HeldError: another process on this host writes to the same target.
    """
    holder = f"run {session.run.world.run_id} on {platform.node()}"
    with lock.held(session.folder, holder=holder):
        yield


def _open(
    kind: type[ApiT],
    common: Common,
    host: Host,
    consent: Consent,
    stack: ExitStack,
    *,
    ear: Observer | None = None,
    nowhere: bool = False,
    lasting: bool = False,
) -> Session[ApiT]:
    project = open_project(common, host)
    target = target_of(common, host, project)
    limits = project.settings.limits
    if target.sandbox:  # what is created shows at once, and nothing arrives late
        limits = msgspec.structs.replace(limits, settle_seconds=0.0)
    if (target.sandbox and not nowhere) or kind is Writer:
        with suppress(OSError):  # whoever needs the folder says what is wrong with it
            make_own(project.root / STATE)
    checkout = git.checkout(project.root, project.spec_root)
    source = provenance.source(checkout, git.origin(project.root), host.environ)
    checkout = replace(checkout, branch=source.branch)  # CI checks out a commit, and knows of which branch
    run_id = f"{host.random.getrandbits(48):012x}"
    drawn = work_bars(host)
    log = stack.enter_context(
        open_log(
            stream=drawn.beside() if drawn else None,
            style=common.log_format,
            level=common.log_level or ("warning" if host.terminal("stderr") else "info"),
            file=common.log_file and host.cwd / common.log_file,
            now=host.now,
            colour=host.colour("stderr"),
            strict=host.strict,
            bound={"run_id": run_id, "project": target.project, "commit": checkout.commit},
        )
    )
    retrier = Retrier(
        RetryPolicy(deadline_seconds=None if lasting else limits.deadline_seconds),
        rng=host.random,
        monotonic=host.monotonic,
        sleep=host.sleep,
    )
    key = Key("none") if nowhere else connect.key(common, host, target)
    api = kind(
        base_url=target.base_url,
        key=key,
        transport=host.through(Nowhere() if nowhere else connect.transport(host, project, target, stack)),
        timeout_seconds=limits.timeout_seconds,
        retry=retrier,
        on_request=connect.observer(log, ear),
    )
    stack.callback(api.close)
    if drawn:
        stack.callback(drawn.end)
    local = local_ledger(project, target)
    record: Ledger = local
    shared = None if nowhere else shared_ledger(project, target, host)
    if shared and common.local_ledger:
        log("ledger.local_only", remote=shared.remote)
    elif shared:
        record = JointLedger(local, shared, run_id=run_id, now=host.now, sleep=host.sleep)
    world = World(
        now=host.now,
        monotonic=host.monotonic,
        sleep=host.sleep,
        random=host.random,
        spread=host.spread,
        log=log,
        ledger=record,
        stop=host.stop,
        progress=drawn or Beats(log, host.monotonic),
        run_id=run_id,
    )
    run = Run(
        api=api,
        retrier=retrier,
        world=world,
        target=target,
        limits=limits,
        guards=consent.settings(project.settings.guards),
        allowed=consent.allowed(project.settings.guards),
        checkout=checkout,
        ancestry=partial(git.ancestry, project.root),
        source=source,
        root=project.root,
        uploads=project.settings.uploads,
    )
    return Session(
        host=host,
        project=project,
        run=run,
        folder=local.path.parent,
        began=host.monotonic(),
        redact=key.redact,
    )
