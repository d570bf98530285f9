"""Compare the requests of two works by their keys. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.model import RequestChange
from reconciler.requests.keys import KEY_BYTES


def compare(ids: Iterable[bytes], keys: bytes, after: Iterable[tuple[bytes, bytes]]) -> RequestChange:
    """Compare requests.

    Args:
        ids: the custom_ids of the job before, each once, as JSON.
        keys: its request keys, in the same order.
        after: the custom_id as JSON and the request key of each request of the new work, each custom_id once. They are
            read once and not kept.
    """
    left = {custom_id: at for at, custom_id in enumerate(ids)}
    before, count, added, changed = len(left), 0, 0, 0
    for custom_id, key in after:
        count += 1
        at = left.pop(custom_id, None)
        if at is None:
            added += 1
        else:
            changed += keys[at * KEY_BYTES : (at + 1) * KEY_BYTES] != key
    return RequestChange(before=before, after=count, added=added, removed=len(left), changed=changed)
