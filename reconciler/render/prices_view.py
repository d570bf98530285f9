"""Prices of models, as a table and as the text of a `prices.yaml`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from msgspec.structs import asdict

from reconciler.cost.prices import Prices, Rates
from reconciler.documents.costs import PriceDoc, PriceListDoc
from reconciler.render.tables import table_text
from reconciler.text.sanitize import clean

_LABELS: Final = {
    "input": "in",
    "cached": "cached",
    "output": "out",
    "pages": "pages",
    "annotated": "annotated",
    "minutes": "minute",
}
_UNITS: Final = "in, cached, out: a million tokens; pages, annotated: 1,000 pages; minute: of audio"


def price_list(prices: Prices, retired: Mapping[str, str | None], *, day: str) -> PriceListDoc:
    """Return all prices; `retired` has the date from which a model is no longer served, if there is one."""
    aliases = defaultdict[str, list[str]](list)
    for alias, model in sorted(prices.aliases.items()):
        aliases[model].append(alias)
    return PriceListDoc(
        date=prices.date,
        currency=prices.currency,
        prices=tuple(
            PriceDoc(
                **asdict(it),
                aliases=tuple(aliases[name]),
                current=prices.of(name, day) is it and (retired.get(name) or "9999") > day,
            )
            for name, rows in sorted(prices.rows.items())
            for it in rows
        ),
    )


def _amounts(rates: Rates) -> dict[str, float]:
    return {unit: it for unit, it in asdict(rates).items() if it is not None}


def prices_text(shown: PriceListDoc, rows: Sequence[PriceDoc]) -> str:
    """Return prices as a table, with the units and the reasons for doubt below it."""
    head = ("MODEL", "SINCE", f"BATCH, {shown.currency}", f"LIVE, {shown.currency}", "SOURCE")
    numbers: dict[str, int] = {}
    for it in rows:
        if it.unsure:
            numbers.setdefault(it.unsure, len(numbers) + 1)
    cells = [
        (
            it.model,
            it.since or "-",
            _shown(it.batch),
            _shown(it.live),
            f"{it.source} ({numbers[it.unsure]})" if it.unsure else it.source,
        )
        for it in rows
    ]
    notes = [f"({at}) {text}" for text, at in numbers.items()]
    dates = " and ".join(sorted({it.date for it in rows})) or shown.date
    below = ("", f"Prices of {dates}, without tax. {_UNITS}", *notes)
    return table_text(head, cells) + "".join(f"{clean(line)}\n" for line in below)


def _shown(rates: Rates | None) -> str:
    if rates is None:
        return "?"
    amounts = _amounts(rates)
    if not any(amounts.values()):
        return "free"
    return " · ".join(f"{_plain(amount)} {_LABELS[unit]}" for unit, amount in amounts.items())


def _plain(amount: float) -> str:
    """Return a number with all of its digits, and without an exponent."""
    return f"{Decimal(str(amount)).normalize():f}"


def prices_yaml(shown: PriceListDoc, rows: Sequence[PriceDoc]) -> str:
    """Return prices as the text of a `prices.yaml`."""
    lines = [
        "# Prices that replace those of the package, per million tokens, 1,000 pages and minute of audio.",
        "# Keep the rows that your contract changes, and delete the others: an update of the package renews those.",
        f"date: {shown.date}",
        f"currency: {shown.currency}",
        "models:",
    ]
    for it in rows:
        lines.append(f"  - model: {it.model}")
        lines += [f"    since: {it.since}"] if it.since else []
        lines += [
            f"    {name}: {{{', '.join(f'{unit}: {_plain(amount)}' for unit, amount in _amounts(rates).items())}}}"
            for name, rates in (("batch", it.batch), ("live", it.live))
            if rates is not None
        ]
    return "".join(f"{line}\n" for line in lines)
