"""Bodies of other providers' requests, written as bodies of Mistral's API.

Only fields with a known counterpart are converted; any other is refused by name, since leaving it out could change the
answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from reconciler.catalogue.bodies import BODIES, OTHER_NAMES

Body: TypeAlias = "dict[str, Any]"
"""The fields of a body, without `model`."""

CHAT: Final = "/v1/chat/completions"

_OF_OPENAI: Final = (CHAT, "/v1/embeddings", "/v1/moderations")
_OPENAI: Final = {**OTHER_NAMES, "dimensions": "output_dimension"}
_ANTHROPIC: Final = frozenset(
    ["max_tokens", "messages", "stop_sequences", "stream", "system", "temperature", "top_k", "top_p"]
)
_GEMINI: Final = {
    "frequencyPenalty": "frequency_penalty",
    "maxOutputTokens": "max_tokens",
    "topP": "top_p",
    "presencePenalty": "presence_penalty",
    "seed": "random_seed",
    "stopSequences": "stop",
    "topK": "top_k",
    "temperature": "temperature",
}
_NO_TEXT: Final = "a message has content other than text and images"
_ROLES: Final = {"user": "user", "model": "assistant"}


class NotConvertibleError(Exception):
    """A request cannot be converted. The text is the reason; it holds no text of the request."""


def openai(body: Body, endpoint: str) -> Body:
    """Convert a body of OpenAI; those of endpoints that only Mistral has stay as they are."""
    if endpoint not in _OF_OPENAI:
        return body
    if isinstance(body.get("messages"), list):
        body = {**body, "messages": list(map(_of_system, body["messages"]))}
    return _renamed(body, _OPENAI, endpoint)


def _of_system(message: object) -> object:
    """Return a message of OpenAI; `developer` is its newer word for `system`."""
    match message:
        case {"role": "developer", **rest}:
            return {"role": "system", **rest}
        case _:
            return message


def anthropic(body: Body, _: str = CHAT) -> Body:
    """Convert the `params` of Anthropic."""
    _refuse(name for name in body if name not in _ANTHROPIC)
    messages = [_message(it) for it in _list(body.pop("messages", None))]
    system = body.pop("system", None)
    if system is not None:
        messages.insert(0, {"role": "system", "content": _content(system)})
    return {**_renamed(body, {"stop_sequences": "stop"}, CHAT), "messages": messages}


def gemini(body: Body, _: str = CHAT) -> Body:
    """Convert the `request` of Gemini: text and images."""
    given = {_camel(name): value for name, value in body.items()}
    contents, system = given.pop("contents", None), given.pop("systemInstruction", None)
    config = {_camel(name): value for name, value in _dict(given.pop("generationConfig", {})).items()}
    _refuse(given)
    messages = [] if system is None else [{"role": "system", "content": _parts(_dict(system))}]
    for content in map(_dict, _list(contents)):
        role = _ROLES.get(str(content.get("role", "user")))
        if role is None:
            raise NotConvertibleError("a message has a role other than `user` and `model`")
        messages.append({"role": role, "content": _parts(content)})
    _refuse(f"generationConfig.{name}" for name in config if name not in _GEMINI)
    return {**{_GEMINI[name]: value for name, value in config.items()}, "messages": messages}


def bedrock(body: Body, _: str = CHAT) -> Body:
    """Convert the `modelInput` of a model of Anthropic or Mistral."""
    if "anthropic_version" in body:
        return anthropic({name: value for name, value in body.items() if name != "anthropic_version"})
    if "messages" not in body:
        raise NotConvertibleError("`modelInput` is not a chat: it has no `messages`")
    if not all(isinstance(_dict(it).get("content"), str) for it in _list(body["messages"])):
        raise NotConvertibleError("`modelInput` has a message whose content is not text")
    return _renamed(body, {}, CHAT)


CONVERTERS: Final[Mapping[str, Callable[[Body, str], Body]]] = {
    "OpenAI": openai,
    "Anthropic": anthropic,
    "Gemini": gemini,
    "Bedrock": bedrock,
}
"""How the body of each provider is converted."""


def _renamed(body: Body, names: Mapping[str, str], endpoint: str) -> Body:
    _refuse(name for name in body if names.get(name, name) not in BODIES[endpoint])
    renamed = {names.get(name, name): value for name, value in body.items()}
    if len(renamed) < len(body):
        raise NotConvertibleError("two fields of the body have the same meaning")
    return renamed


def _refuse(names: Iterable[str]) -> None:
    shown = [name if re.fullmatch(r"[\w.-]{1,40}", name) else "…" for name in sorted(names)]
    if shown:
        fields = ", ".join(f"`{name}`" for name in shown)
        raise NotConvertibleError(f"the body has fields without a known counterpart at Mistral: {fields}")


def _message(message: object) -> dict[str, Any]:
    given = _dict(message)
    _refuse(f"messages.{name}" for name in given if name not in {"role", "content"})
    return {"role": given.get("role"), "content": _content(given.get("content"))}


def _content(content: object) -> Any:  # noqa: ANN401 - JSON
    return content if isinstance(content, str) else [_block(_dict(it)) for it in _list(content)]


def _block(block: dict[str, Any]) -> dict[str, Any]:
    """Convert a block of Anthropic; `cache_control` does not change the answer."""
    match {name: value for name, value in block.items() if name != "cache_control"}:
        case {"type": "text", "text": str(text), **rest} if not rest:
            return {"type": "text", "text": text}
        case {"type": "image", "source": {"type": "url", "url": str(url)}, **rest} if not rest:
            return {"type": "image_url", "image_url": url}
        case {
            "type": "image",
            "source": {"type": "base64", "media_type": str(kind), "data": str(data)},
            **rest,
        } if not rest:
            return {"type": "image_url", "image_url": f"data:{kind};base64,{data}"}
        case _:
            raise NotConvertibleError(_NO_TEXT)


def _parts(content: dict[str, Any]) -> list[dict[str, Any]]:
    return [_part(_dict(part)) for part in _list(content.get("parts"))]


def _part(part: dict[str, Any]) -> dict[str, Any]:
    match {_camel(name): value for name, value in part.items()}:
        case {"text": str(text), **rest} if not rest:
            return {"type": "text", "text": text}
        case {"inlineData": dict(given), **rest} if not rest:
            match {_camel(name): value for name, value in given.items()}:
                case {"mimeType": str(kind), "data": str(data)} if kind.startswith("image/"):
                    return {"type": "image_url", "image_url": f"data:{kind};base64,{data}"}
                case _:
                    pass
        case _:
            pass
    raise NotConvertibleError(_NO_TEXT)


def _camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), name)


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise NotConvertibleError("the body has no list of messages")
    return value


def _dict(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise NotConvertibleError("the body has text or a list in the place of an object")
    return value
