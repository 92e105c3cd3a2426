"""A draft that cannot work is told so by its field, before anything is sent or saved."""

from __future__ import annotations

import pytest

from rooroute.scripted_provider import ScriptedProvider
from tests.e2e.conftest import Open
from tests.e2e.talk import profile
from tests.rpc.client import RpcError


@pytest.mark.parametrize("method", ["rooroute/profiles/models", "rooroute/profiles/test"])
@pytest.mark.parametrize("key", [{}, {"apiKey": "a-key"}], ids=["without-a-key", "with-a-key"])
async def test_an_address_that_is_none_names_its_field(
    window: Open, provider: ScriptedProvider, method: str, key: dict[str, str]
) -> None:
    client = await window()
    for address in ("0.1:43501/v1beta", "https://user:pass@host/v1", "https://", "ftp://host"):
        with pytest.raises(RpcError) as caught:
            await client.request(method, {"profile": {**profile(provider, "A"), "baseUrl": address}, **key})
        assert (caught.value.code, caught.value.data["field"]) == (-32602, "profile.baseUrl")
    assert not provider.requests
