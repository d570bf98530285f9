"""Whether a host is this machine; in a module of its own, so that who works offline loads no HTTP client."""

from __future__ import annotations

import ipaddress


def is_loopback(host: str) -> bool:
    """Tell whether `host` is this machine: 127.0.0.0/8, ::1 or `localhost`, in their plain spellings."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
