"""Which conversation a request belongs to, where in it the request stands, and what can be said of it to the rules."""

from __future__ import annotations

from hashlib import blake2b

from rooroute.chat import ChatRequest, CompletionOptions, Message
from rooroute.profiles import Configuration, Pool, Revert
from rooroute.roster import estimated_tokens
from rooroute.routing.rules import Facts


def session_of(request: ChatRequest, given: str | None) -> str:
    """What the client calls the conversation, else a hash of its system prompt and first user message."""
    if given is not None:
        return given
    opening = [_text(each) for each in request.messages if each.role == "system"]
    opening.append(next((_text(each) for each in request.messages if each.role == "user"), ""))
    return blake2b("\0".join(opening).encode("utf-8", "replace"), digest_size=8).hexdigest()


def in_tool_loop(request: ChatRequest) -> bool:
    """Whether the model is in the middle of using tools: the last message is a tool's result."""
    return request.messages[-1].role == "tool"


def revert_for(pool: Pool, request: ChatRequest) -> Revert:
    """The pool's return policy for this request: under ``turn`` a session stays where it is until the user speaks again."""
    if pool.revert is Revert.TURN and request.messages[-1].role != "user":
        return Revert.SESSION
    return pool.revert


def facts_of(request: ChatRequest, options: CompletionOptions) -> Facts:
    """What rules, needs and estimates go by. What the client did not say in a field of its own may stand in its metadata."""
    spoken = next((each for each in reversed(request.messages) if each.role == "user"), None)

    def told(name: str, value: str | None) -> str | None:
        known = options.metadata.get(name) if value is None else value
        return known if isinstance(known, str) and known else None

    return Facts(
        model=options.model,
        mode=told("mode", options.mode),
        task=told("task", options.task),
        intent=told("intent", None),
        tools=bool(request.tools),
        images=any(
            part.type == "image"
            for message in request.messages
            if not isinstance(message.content, str)
            for part in message.content
        ),
        text=_text(spoken) if spoken else "",
        tokens=estimated_tokens(request),
        output_tokens=request.max_tokens,
        language=told("language", options.language),
        tags=frozenset(options.tags),
        region=told("region", options.region),
        metadata=options.metadata,
    )


def _text(message: Message) -> str:
    if isinstance(message.content, str):
        return message.content
    return "".join(part.text for part in message.content if part.type == "text")


def consent_for(pool: Pool, configuration: Configuration) -> tuple[str, str]:
    """What the user says yes to: a pool's last resort, and that profile. A request for one profile goes by the default pool's."""
    usual = configuration.pool(None)
    home = pool if pool.id in configuration.pools or usual is None else usual
    return home.id, pool.last_resort.profile if pool.last_resort else ""
