"""Check a query before it runs: it is one SELECT of the listed tables, and its result is the same in every run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final

from reconciler.rows.row import RowsError

_TABLE_FUNCTIONS: Final = frozenset({"generate_series", "json_each", "json_tree", "range", "unnest"})
_VOLATILE: Final = frozenset(
    [
        "age",
        "current_database",
        "current_localtime",
        "current_localtimestamp",
        "current_role",
        "current_schema",
        "current_schemas",
        "current_setting",
        "current_time",
        "current_timestamp",
        "current_user",
        "getenv",
        "getvariable",
        "in_search_path",
        "localtime",
        "localtimestamp",
        "now",
        "query",
        "query_table",
        "session_user",
        "today",
        "user",
    ]
)
"""Functions whose result depends on the time, the machine or the session, beside those that DuckDB calls volatile."""


def quoted_name(name: str) -> str:
    """Return a name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def checked(database: Any, sql: str, views: Mapping[str, Sequence[str]]) -> str:  # noqa: ANN401 - as above
    """Return a query without the final semicolon, or raise `RowsError` if it is refused."""
    [[text]] = database.execute("select json_serialize_sql(?::VARCHAR)", [sql]).fetchall()
    parsed = json.loads(text)
    if parsed["error"]:
        message = str(parsed.get("error_message", "")).partition("\n")[0][:300]
        raise RowsError(f"not a SELECT: {message}", "write exactly one SELECT")
    if len(parsed["statements"]) != 1:
        raise RowsError(f"{len(parsed['statements'])} statements", "write exactly one SELECT")
    nodes = list(_nodes(parsed["statements"][0]))
    own = {
        str(entry["key"]).lower() for node in nodes for entry in (node.get("cte_map") or {}).get("map", ())
    }
    system = database.execute(
        "select lower(view_name) from duckdb_views() where internal and schema_name <> 'information_schema'"
    )
    hiding = own & {name for (name,) in system.fetchall()}
    if hiding:
        raise RowsError(f"`{min(hiding)}` is a system table", "give the part of the query another name")
    volatile = _VOLATILE | _volatile(database)
    columns = {
        name.lower()
        for view in views
        for name, *_ in database.execute(f"describe {quoted_name(view)}").fetchall()
    }
    for node in nodes:
        reason = _refused(node, own | {view.lower() for view in views}, volatile, columns)
        if reason:
            raise RowsError(
                reason, "a query reads the listed files only, and gives the same result in every run"
            )
    return sql.rstrip().rstrip(";")


def _nodes(value: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - DuckDB's tree
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            yield each
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)


def _refused(
    node: Mapping[str, Any], tables: AbstractSet[str], volatile: AbstractSet[str], columns: AbstractSet[str]
) -> str:
    """Return why a node of a query is refused; "" if it is not."""
    kind, function = node.get("type"), str(node.get("function_name", "")).lower()
    called = str(node["function"].get("function_name", "")).lower() if kind == "TABLE_FUNCTION" else ""
    path = [str(step).lower() for step in node["qualified_name"]["path"]] if kind == "BASE_TABLE" else []
    names = [str(name).lower() for name in node["column_names"]] if kind == "COLUMN_REF" else []
    reasons = (
        (node.get("sample"), "a sample changes between runs"),
        (called and called not in _TABLE_FUNCTIONS, f"the table function `{called}` is not allowed"),
        (
            path and (len(path) > 1 or path[0] not in tables),
            f"`{'.'.join(path)}` is not a table of this spec",
        ),
        (kind == "SHOW_REF", "only SELECT is allowed"),
        (len(names) == 1 and names[0] in volatile - columns, f"`{''.join(names)}` changes between runs"),
        (function in volatile, f"the function `{function}` changes between runs, or reads the machine"),
    )
    return next((reason for holds, reason in reasons if holds), "")


def _volatile(database: Any) -> frozenset[str]:  # noqa: ANN401 - as above
    """Return the functions that DuckDB calls volatile, and the macros that use them."""
    found = database.execute(
        "select lower(function_name), stability = 'VOLATILE' or (stability = 'CONSISTENT_WITHIN_QUERY' "
        "and len(parameters) = 0), macro_definition from duckdb_functions()"
    ).fetchall()
    names = {name for name, changes, _ in found if changes} | _VOLATILE
    uses = re.compile(rf"\b({'|'.join(map(re.escape, sorted(names)))})\b")
    return frozenset(names | {name for name, _, text in found if text and uses.search(text.lower())})
