"""What a client says, in words of its own."""

from __future__ import annotations

from typing import Any

from rooroute.scripted_provider import ScriptedProvider
from tests.rpc.client import Client

Json = dict[str, Any]
HELLO = [{"role": "user", "content": "Hello?"}]


def profile(provider: ScriptedProvider, name: str, **more: Any) -> Json:
    return {"id": name, "provider": "gemini", "baseUrl": provider.base_url("gemini"), "model": f"model-{name}", **more}


async def save(client: Client, provider: ScriptedProvider, *names: str, **more: Any) -> None:
    """Save profiles whose keys are their names, and the pool of them."""
    for name in names:
        await client.request(
            "rooroute/profiles/save", {"profile": profile(provider, name, **more), "apiKey": f"key-{name}"}
        )
    await client.request("rooroute/pools/save", {"pool": {"id": "default", "profiles": list(names), "maxWait": 0}})


async def ask(client: Client, token: str | None = None, **more: Any) -> Json:
    params: Json = {"messages": HELLO, **({"partialResultToken": token} if token else {}), **more}
    answer: Json = await client.request("rooroute/complete", params)
    return answer


async def shown(client: Client, name: str) -> Json:
    status = await client.request("rooroute/status")
    found: Json = next(each for each in status["profiles"] if each["id"] == name)
    return found


def words(values: list[Json]) -> str:
    """The text a client would show from progress values."""
    text = ""
    for value in values:
        text = "" if value["kind"] == "reset" else text + value["text"] if value["kind"] == "text" else text
    return text
