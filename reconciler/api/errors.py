"""Errors of the API's client, sorted by remedy.

A create costs money, so the first question about a failure is whether the API carried the request out:

| class | carried out? | remedy |
|---|---|---|
| `UnreachableError` | no: the request was never sent | fix the connection, then repeat |
| `RateLimitedError` | no | wait, then repeat |
| `RejectedError` | no, and a repeat fails the same way | change the request |
| `OutcomeUnknownError` | unknown | check the outcome before repeating |
| `MalformedAnswerError` | unknown: the answer cannot be read | check the outcome before repeating |

Importing this module imports neither httpx nor msgspec.
"""

from __future__ import annotations

from typing import ClassVar, Final

from reconciler.errors import ReconcilerError

TOO_MANY_REQUESTS: Final = 429
FROM_A_PROXY: Final = (
    "the answer is a web page: it comes from a proxy, a gateway or a sign-in page, not from the API; "
    "check the base URL and HTTPS_PROXY"
)


class ApiError(ReconcilerError):
    """A request that failed. `str` is one line: request, status and the API's message.

    Attributes:
        text: the message, cleaned and cut: `422: body.endpoint: Field required`.
        request: method and path, "" until the client adds them.
        status: the HTTP status, None if no answer came.
        transient: whether the same request may succeed a little later.
        retry_after: seconds that the API asks the client to wait, None if it does not.
        attempts: how often the request was sent, this failure included.
        gave_up: why there was no further attempt, "" if the failure itself says it.
    """

    next_step: ClassVar[str] = ""
    """The hint, unless the status has its own."""

    def __init__(
        self,
        text: str,
        *,
        hint: str = "",
        status: int | None = None,
        transient: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(text, hint=hint or self.next_step)
        self.text = text
        self.request = ""
        self.status = status
        self.transient = transient
        self.retry_after = retry_after
        self.attempts = 1
        self.gave_up = ""

    @property
    def throttled(self) -> bool:
        """Whether the API asks for fewer requests or for a pause, and so works."""
        return self.transient and (self.status == TOO_MANY_REQUESTS or self.retry_after is not None)

    def __str__(self) -> str:
        line = f"{self.request}: {self.text}" if self.request else self.text
        tried = [f"{self.attempts} attempts"] if self.attempts > 1 else []
        why = "; ".join([*tried, *filter(None, [self.gave_up])])
        return f"{line} ({why})" if why else line


class UnreachableError(ApiError):
    """The request was never sent: no address, no connection, no trusted certificate. Not carried out."""

    next_step = "check the network and the base URL"


class RateLimitedError(ApiError):
    """429: too many requests. Not carried out."""

    next_step = "the API did not carry out the request: wait a minute, then run the same command again"


class RejectedError(ApiError):
    """The API rejects the request. Not carried out."""

    next_step = "the API rejected the request: fix the value it names, then run the same command again"


class AuthError(RejectedError):
    """401: the key is missing, wrong or revoked."""

    next_step = (
        "check the key in MISTRAL_API_KEY or --api-key-file: it is missing, wrong, revoked or for another workspace "
        "(with another workspace's key every job looks missing)"
    )


class BillingError(RejectedError):
    """402: the workspace may not create batch jobs."""

    next_step = (
        "no job was created. Known causes: batch is not enabled for the workspace, there is no credit, a monthly "
        "spending limit is reached, the included usage is used up and pay-as-you-go is off, or an invoice is unpaid. "
        "Change that in the console, then apply again"
    )


class NotFoundError(RejectedError):
    """404 or 410: the key's workspace has no such job or file, or no longer has it."""

    next_step = "check the id, and that the key is for the workspace that owns it: no other key sees it"


class OutcomeUnknownError(ApiError):
    """The request was sent and no usable answer came: the API may have carried it out."""

    next_step = "run the same command again: it reads the workspace before it writes anything"


class MalformedAnswerError(OutcomeUnknownError):
    """An answer that does not match the API's description. The outcome of a write is unknown."""

    next_step = (
        "look for a newer version of this tool; if there is none, a proxy or gateway alters the API's answers"
    )


CLASSES: Final[dict[int, type[RejectedError]]] = {
    401: AuthError,
    402: BillingError,
    404: NotFoundError,
    410: NotFoundError,
}
"""Statuses with a class of their own, because code handles them differently."""

TRANSIENT: Final = frozenset({408, 500, 502, 503, 504, 520, 521, 522, 523, 524})
"""Statuses after which the same read may succeed; those from 520 on are Cloudflare's."""
