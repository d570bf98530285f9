"""The next step for an answer that rejects a request, if its class does not say it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from reconciler.api.calls import FILES, JOBS, Call

FROM_A_PROXY: Final = (
    "the answer is a web page: it comes from a proxy, a gateway or a sign-in page, not from the API; "
    "check the base URL and HTTPS_PROXY"
)
TOO_LARGE: Final = (
    "no job was created: the requests in the spec are too large for the API's gateway. Move them to a JSONL file, and "
    "name it in `input_files` instead of `requests`"
)
NO_BATCH: Final = (
    "the host of the base URL has no batch API: use https://api.mistral.ai (regional hosts such as api.eu.mistral.ai "
    "have neither batch jobs nor files)"
)
_TOO_LARGE: Final = {(400, True), (413, True), (413, False)}
"""Status, and whether the answer is a web page, of Mistral's gateway and of others for a body that is too large."""
PAGE_SIZE: Final = "the API no longer accepts pages of this size: look for a newer version of this tool"

BY_STATUS: Final = {
    403: "the key lacks the permission: ask an administrator of the workspace for it, or use another key",
    407: "the proxy requires credentials: add them to HTTPS_PROXY",
    409: "something else changed it meanwhile: check `reconciler status`, then run the command again",
    410: "it existed and was deleted: the API keeps files only for a time",
    413: "it is larger than the API accepts: split the input into several files",
}


def hint(call: Call, status: int, text: str, *, html: bool) -> str:
    """Return the next step, "" if the error's class has a better one.

    Args:
        call: the request.
        status: of the answer.
        text: the answer's message.
        html: whether the answer is a web page.
    """
    if call.inline and (status, html) in _TOO_LARGE:
        return TOO_LARGE
    if html:
        return FROM_A_PROXY
    if call.method == "GET" and call.path in (JOBS, FILES):
        if status == HTTPStatus.NOT_FOUND:
            return NO_BATCH
        if "page_size" in text:
            return PAGE_SIZE
    return BY_STATUS.get(status, "")
