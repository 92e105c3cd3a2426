from __future__ import annotations

from typing import Any

import pytest

from rooroute.errors import SecretUnavailable
from rooroute.rpc.envelope import Reply
from rooroute.rpc.reverse import ClientSecrets, Questions


async def test_a_client_that_never_answers_is_not_waited_for() -> None:
    sent: list[dict[str, Any]] = []
    questions = Questions(sent.append)
    with pytest.raises(SecretUnavailable):
        await ClientSecrets(questions, seconds=0.01).get("one", "apiKey")
    assert [message["method"] for message in sent] == ["rooroute/secrets/get", "$/cancelRequest"]
    questions.settle(Reply(sent[0]["id"], {"value": "too late"}))


@pytest.mark.parametrize("result", [None, [], {}, {"value": 5}, {"value": None}, "text"])
async def test_an_answer_without_a_value_is_no_secret(result: Any) -> None:
    questions: Questions

    def answer(message: dict[str, Any]) -> None:
        questions.settle(Reply(message["id"], result))

    questions = Questions(answer)
    assert await ClientSecrets(questions).get("one", "apiKey") is None
