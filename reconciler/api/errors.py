"""What can go wrong between us and the API, sorted by what may be done about it.

A create is money, so the first question about a failure is not why but *whether it happened*:

| class | did the API do it? | remedy |
|---|---|---|
| `UnreachableError` | no: the request never left | mend the connection, then repeat |
| `RateLimitedError` | no | wait, then repeat |
| `RejectedError` | no, and it never will as it stands | change something |
| `OutcomeUnknownError` | nobody can tell | look before repeating |
| `MalformedAnswerError` | it answered, but not in words we know | look before repeating |

Light: importing this module imports neither httpx nor msgspec.
"""

from __future__ import annotations

from typing import ClassVar, Final

from reconciler.errors import ReconcilerError


class ApiError(ReconcilerError):
    """A request that did not end in an answer. `str` is one line: request, status, what the API says of it.

    Attributes:
        text: what went wrong, cleaned and cut: `422: body.endpoint: Field required`.
        request: method and path, "" before the client has added them.
        status: the HTTP status, None where no answer came.
        transient: True where the same request may well succeed a little later.
        timed_out: True where time was lost; such a retry costs more.
        retry_after: seconds that the API asks us to wait, None where it does not say.
        attempts: how often the request was sent, this failure included.
        gave_up: why no further attempt was made, "" where the failure itself says it.
    """

    next_step: ClassVar[str] = ""
    """The hint where the status has none of its own."""

    def __init__(
        self,
        text: str,
        *,
        hint: str = "",
        status: int | None = None,
        transient: bool = False,
        timed_out: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(text, hint=hint or self.next_step)
        self.text = text
        self.request = ""
        self.status = status
        self.transient = transient
        self.timed_out = timed_out
        self.retry_after = retry_after
        self.attempts = 1
        self.gave_up = ""

    def __str__(self) -> str:
        line = f"{self.request}: {self.text}" if self.request else self.text
        tried = [f"{self.attempts} attempts"] if self.attempts > 1 else []
        why = "; ".join([*tried, *filter(None, [self.gave_up])])
        return f"{line} ({why})" if why else line


class UnreachableError(ApiError):
    """The request never left: no address, no connection, no trusted certificate. Certainly not done."""

    next_step = "check the network and the base URL"


class RateLimitedError(ApiError):
    """429: too many requests. Certainly not done."""

    next_step = "nothing was done: wait a minute and run the same command again"


class RejectedError(ApiError):
    """The API refuses the request as it stands. Certainly not done."""

    next_step = "nothing was done: change what the API names, then try again"


class AuthError(RejectedError):
    """401: the key is missing, wrong or revoked."""

    next_step = (
        "check the key in MISTRAL_API_KEY or --api-key-file: it is missing, wrong, revoked or of another workspace "
        "(with another workspace's key every job looks missing)"
    )


class BillingError(RejectedError):
    """402: the workspace may not buy batch jobs."""

    next_step = (
        "nothing was bought: enable billing for batch jobs in the workspace's settings, then apply again"
    )


class NotFoundError(RejectedError):
    """404: there is no such job or file in the key's workspace."""

    next_step = "check the id, and that the key is of the workspace that owns it: no other key sees it"


class OutcomeUnknownError(ApiError):
    """The request left and no usable answer came: it may have happened."""

    next_step = "run the same command again: it looks at what is there before it does anything"


class MalformedAnswerError(OutcomeUnknownError):
    """An answer that is not what the API's description says. Of a write, nobody can tell what became of it."""

    next_step = (
        "look for a newer version of this tool; if there is none, something between here and the API alters its "
        "answers"
    )


CLASSES: Final[dict[int, type[RejectedError]]] = {401: AuthError, 402: BillingError, 404: NotFoundError}
"""Statuses that code must tell apart from other rejections."""

HINTS: Final = {
    403: "the key may not do this: ask an administrator of the workspace for the right, or use another key",
    407: "the proxy wants credentials: put them into HTTPS_PROXY",
    409: "something else changed it meanwhile: look with `reconciler status`, then try again",
    413: "it is larger than the API takes: split the input into several files",
}
"""Next steps of rejections that need no class of their own."""

FROM_A_PROXY: Final = (
    "this is a web page and not the API: a proxy, a gateway or a sign-in page stands in between; "
    "check the base URL and HTTPS_PROXY"
)

TRANSIENT: Final = frozenset({408, 500, 502, 503, 504, 520, 521, 522, 523, 524})
"""Statuses after which the same read may well succeed; from 520 on they are those of Cloudflare's gateways."""
