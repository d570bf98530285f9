"""What a create may cost, in words."""

from __future__ import annotations

from reconciler.model.money import Estimate
from reconciler.plans.action_documents import CreateDoc, JobDoc
from reconciler.plans.cost_document import CostDoc
from reconciler.text.money import money, number
from reconciler.text.sanitize import clean


def cost_words(cost: CostDoc | None) -> str:
    """Return an estimate: `≈ $0.42 (0.36 to 0.51, at most $0.60)`, without earlier answers `at most $0.60`."""
    return "" if cost is None else clean(_words(cost.estimate))


def _words(it: Estimate) -> str:
    most = f"at most {money(it.at_most, it.currency, at_most=True)}" if it.at_most is not None else ""
    if it.in_all is not None and it.at_most is not None and it.in_all > it.at_most:
        most += f", {money(it.in_all, it.currency, at_most=True)} in all"
    if it.at_most == 0 == (it.in_all or 0):
        return "free"
    if it.expected is None or it.low is None or it.high is None:
        return most or "cost ?"
    span = f"{number(it.low)} to {number(it.high, at_most=True)}"
    return f"≈ {money(it.expected, it.currency)} ({span}, {most or 'no upper bound'})"


def estimate_line(cost: CostDoc | None) -> str:
    """Return what an estimate rests on, and what it does not know, "" for neither, or if it is free."""
    if cost is None or cost.at_most == 0:
        return ""
    prices = f"prices of {cost.prices}" if cost.prices else ""
    facts = [fact for fact in (*cost.basis, prices, *cost.gaps) if fact]
    return clean(f"cost: {' · '.join(facts)}") if facts else ""


def difference(create: CreateDoc, job: JobDoc) -> str:
    """Return how the most that a create can cost differs from that of the job that it replaces, "" if not known."""
    now, then = create.cost, job.cost
    if now is None or then is None or now.currency != then.currency:
        return ""
    ours, theirs = now.estimate.at_most, then.estimate.at_most
    if ours is None or theirs is None:
        return ""
    amount = money(abs(ours - theirs), now.currency)
    word = f"{amount} above" if ours > theirs else f"{amount} below" if ours < theirs else "equal to"
    return f"upper bound {word} that of {job.id[:8]}"
