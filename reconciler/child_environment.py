"""The environment of the programs that this tool starts: git, the command of `on_end`, and searches for patterns. Pure.

It is a list of what may pass. Keys and tokens, whatever their names, and settings of git stay in this process.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final

SECRETS: Final = ("MISTRAL_API_KEY", "RECONCILER_TOKEN", "RECONCILER_HEADERS")
MIN_SECRET_LENGTH: Final = 12
"""Characters. A shorter key is a sandbox's, and may be an ordinary word."""

ALLOWED: Final = frozenset(
    [
        *("HOME", "PATH", "USER", "LOGNAME", "SHELL", "TZ", "TMPDIR", "XDG_CONFIG_HOME", "LANG", "LANGUAGE"),
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSH_AUTH_SOCK", "GIT_SSH_COMMAND"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"),
        *("GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "KRB5CCNAME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"),
        *("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "TEMP", "TMP", "PROGRAMFILES"),
        *("USERNAME", "USERPROFILE", "HOMEDRIVE", "HOMEPATH", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA"),
    ]
)
"""In capital letters: Windows ignores case, and proxies have both spellings. `LC_*` passes too."""


def child_environment(
    environ: Mapping[str, str], *, more: Collection[str] = (), redact: Callable[[str], str] = str
) -> dict[str, str]:
    """Return the variables that a child process gets, and those named in `more`; none whose value has key or token."""
    secrets = [value for name in SECRETS if len(value := environ.get(name, "")) >= MIN_SECRET_LENGTH]
    return {
        name: value
        for name, value in environ.items()
        if (name in more or name.upper() in ALLOWED or name.upper().startswith("LC_"))
        and redact(value) == value
        and not any(secret in value for secret in secrets)
    }
