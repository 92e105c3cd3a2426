"""What a vendor's own SDK makes of recorded answers: ``python referee.py DIALECT ADDRESS NAME …`` prints it as JSON, by name.

Run by the interpreter that has the SDKs, whose types are not at hand here; it knows nothing of rooroute. ADDRESS/NAME serves each answer, whatever follows in the path.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final

Reading = dict[str, Any]
MESSAGES: Final[Any] = [{"role": "user", "content": "Hello?"}]
KEY: Final = "key-A"
SECONDS: Final = 30


def reading(text: str, thinking: str, calls: list[Any], tokens: Any, end: str | None) -> Reading:
    return {"text": text, "thinking": thinking, "calls": calls, "tokens": tokens, "end": end}


def in_words(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments)


def by_openai(address: str, streamed: bool) -> Reading:
    openai: Any = import_module("openai")
    with openai.OpenAI(base_url=address, api_key=KEY, max_retries=0, timeout=SECONDS) as client:
        if streamed:
            with client.chat.completions.stream(model="gpt-5", messages=MESSAGES) as stream:
                stream.until_done()
                completion: Any = stream.current_completion_snapshot
        else:
            completion = client.chat.completions.create(model="gpt-5", messages=MESSAGES)
    choice, usage = completion.choices[0], completion.usage
    calls = [[call.function.name, in_words(call.function.arguments)] for call in choice.message.tool_calls or ()]
    thinking = (choice.message.model_extra or {}).get("reasoning_content") or ""
    refusal = choice.message.refusal or ""
    tokens = [usage.prompt_tokens, usage.completion_tokens] if usage else None
    end = "refusal" if refusal else choice.finish_reason
    return reading((choice.message.content or "") + refusal, thinking, calls, tokens, end)


def by_openai_responses(address: str, streamed: bool) -> Reading:
    openai: Any = import_module("openai")
    with openai.OpenAI(base_url=address, api_key=KEY, max_retries=0, timeout=SECONDS) as client:
        if not streamed:
            return _whole_response(client.responses.create(model="gpt-5", input="Hello?"))
        found = reading("", "", [], None, None)
        summaries: dict[Any, str] = {}
        with client.responses.create(model="gpt-5", input="Hello?", stream=True) as stream:
            for event in stream:
                _add_event(found, summaries, event)
    found["thinking"] = "\n\n".join(summaries.values())
    return found


def _add_event(found: Reading, summaries: dict[Any, str], event: Any) -> None:
    match event.type:
        case "response.output_text.delta":
            found["text"] += event.delta
        case "response.refusal.delta":
            found |= {"text": found["text"] + event.delta, "end": "refusal"}
        case "response.reasoning_summary_text.delta":
            place = (event.output_index, event.summary_index)
            summaries[place] = summaries.get(place, "") + event.delta
        case "response.output_item.done" if event.item.type == "function_call":
            found["calls"].append([event.item.name, event.item.arguments])
        case "response.completed" | "response.incomplete" | "response.failed":
            found |= _end_of(event.response) | ({"end": found["end"]} if found["end"] else {})
        case "error":
            raise ValueError(event.message)


def _whole_response(response: Any) -> Reading:
    thinking = "\n\n".join(part.text for item in response.output if item.type == "reasoning" for part in item.summary)
    text = "".join(part.text for item in response.output if item.type == "message" for part in item.content)
    calls = [[item.name, item.arguments] for item in response.output if item.type == "function_call"]
    return reading(text, thinking, calls, None, None) | _end_of(response)


def _end_of(response: Any) -> Reading:
    if response.error is not None:
        raise ValueError(response.error.message)
    end = response.incomplete_details.reason if response.incomplete_details else response.status
    tokens = [response.usage.input_tokens, response.usage.output_tokens] if response.usage else None
    return {"tokens": tokens, "end": end}


def by_anthropic(address: str, streamed: bool) -> Reading:
    anthropic: Any = import_module("anthropic")
    with anthropic.Anthropic(base_url=address, api_key=KEY, max_retries=0, timeout=SECONDS) as client:
        asked: dict[str, Any] = {"model": "claude-sonnet-4-5", "max_tokens": 500, "messages": MESSAGES}
        if streamed:
            with client.messages.stream(**asked) as stream:
                message = stream.get_final_message()
        else:
            message = client.messages.create(**asked)
    text = "".join(block.text for block in message.content if block.type == "text")
    thinking = "".join(block.thinking for block in message.content if block.type == "thinking")
    calls = [[block.name, json.dumps(block.input)] for block in message.content if block.type == "tool_use"]
    usage = message.usage
    sent = usage.input_tokens + (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
    return reading(text, thinking, calls, [sent, usage.output_tokens], message.stop_reason)


def by_gemini(address: str, streamed: bool) -> Reading:
    genai: Any = import_module("google.genai")
    options = genai.types.HttpOptions(base_url=address, timeout=SECONDS * 1000)
    found = reading("", "", [], None, None)
    with genai.Client(api_key=KEY, http_options=options) as client:
        asked: dict[str, Any] = {"model": "gemini-2.5-flash", "contents": "Hello?"}
        models = client.models
        for chunk in models.generate_content_stream(**asked) if streamed else [models.generate_content(**asked)]:
            _add_chunk(found, chunk)
    return found


def _add_chunk(found: Reading, chunk: Any) -> None:
    usage = chunk.usage_metadata
    if usage is not None:
        got = (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)
        found["tokens"] = [(usage.prompt_token_count or 0) + (usage.tool_use_prompt_token_count or 0), got]
    if chunk.prompt_feedback is not None and chunk.prompt_feedback.block_reason is not None:
        raise ValueError("the prompt was blocked")
    for candidate in chunk.candidates or ():
        for part in (candidate.content.parts if candidate.content else None) or ():
            if part.function_call is not None:
                found["calls"].append([part.function_call.name, json.dumps(part.function_call.args or {})])
            else:
                found["thinking" if part.thought else "text"] += part.text or ""
        found["end"] = candidate.finish_reason.value if candidate.finish_reason else found["end"]


SDKS: Final[Mapping[str, Callable[[str, bool], Reading]]] = {
    "openai": by_openai,
    "openai-responses": by_openai_responses,
    "anthropic": by_anthropic,
    "gemini": by_gemini,
}


def read(dialect: str, address: str, name: str) -> Reading:
    """The SDK's reading, or the name of the error that it raises."""
    try:
        return SDKS[dialect](f"{address}/{name}", name.endswith(".sse"))
    except Exception as error:  # noqa: BLE001 - whatever an SDK raises is its verdict
        return {"error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    spoken, served, *names = sys.argv[1:]
    print(json.dumps({name: read(spoken, served, name) for name in names}))  # noqa: T201 - this is its answer
