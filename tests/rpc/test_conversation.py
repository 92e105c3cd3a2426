from __future__ import annotations

from typing import Any

import pytest

from rooroute.chat import ImagePart
from rooroute.errors import InvalidInput
from rooroute.rpc import messages as m
from rooroute.rpc.conversation import chat_request
from rooroute.rpc.validation import validated

TURN = {"role": "user", "content": "hello"}


def asked(**params: Any) -> m.Complete:
    return validated(m.Complete, {"messages": [TURN], **params})


def picture(data: str) -> dict[str, Any]:
    return {
        "role": "user",
        "content": [{"type": "text", "text": "See"}, {"type": "image", "mimeType": "image/png", "data": data}],
    }


@pytest.mark.parametrize("name", ["", "  "], ids=["empty", "blank"])
def test_a_tool_without_a_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match=r"tools.1.name is empty; give the tool a name.") as refused:
        chat_request(asked(tools=[{"name": "one", "parameters": {}}, {"name": name, "parameters": {}}]))
    assert refused.value.field == "tools.1.name"


@pytest.mark.parametrize(
    "data",
    ["", "no base64!", "data:image/png;base64,AQI=", "AQ\nI=", "AQI", "é"],
    ids=["empty", "other-letters", "data-url", "line-break", "not-padded", "not-ascii"],
)
def test_an_image_that_is_not_in_base64_is_refused(data: str) -> None:
    with pytest.raises(InvalidInput, match="without line breaks or a data: prefix") as refused:
        chat_request(asked(messages=[TURN, picture(data)]))
    assert refused.value.field == "messages.1.content.1.data"
    assert not data or data not in refused.value.message


def test_an_image_in_base64_is_taken_as_it_is() -> None:
    request = chat_request(asked(messages=[picture("AQI=")]))
    assert request.messages[0].content[1] == ImagePart("image/png", "AQI=")
