"""Whose account an answer names, by headers and errors as providers send them."""

from __future__ import annotations

import pytest

from rooroute.providers.account import account_of

# https://ai.google.dev/gemini-api/docs/troubleshooting, https://cloud.google.com/apis/design/errors#error_info
GOOGLE_INFO = b"""{"error":{"code":403,"status":"PERMISSION_DENIED","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo",
"reason":"SERVICE_DISABLED","domain":"googleapis.com","metadata":{"consumer":"projects/831234567890"}}]}}"""
GOOGLE_TEXT = b"""{"error":{"code":429,"message":"Quota exceeded for quota metric 'Generate Content API requests per minute' and limit
'GenerateContent request limit per minute for a region' of service 'generativelanguage.googleapis.com' for consumer
'project_number:831234567890'.","status":"RESOURCE_EXHAUSTED"}}""".replace(b"\n", b" ")
OPENAI = b"""{"error":{"message":"Rate limit reached for gpt-4o in organization org-AbCd1234 on tokens per min (TPM): Limit 30000.",
"type":"tokens","code":"rate_limit_exceeded"}}"""
OPENROUTER = b'{"error":{"code":429,"message":"Rate limit exceeded: free-models-per-day."},"user_id":"user_2abcDEF"}'


@pytest.mark.parametrize(
    ("headers", "body", "account"),
    [
        pytest.param({}, b"", None, id="nothing-is-told"),
        pytest.param({"openai-organization": "org-abc"}, b"", "org-abc", id="openai-on-every-answer"),
        pytest.param({"anthropic-organization-id": "0f3c"}, b"", "0f3c", id="anthropic-on-every-answer"),
        pytest.param({}, GOOGLE_INFO, "projects/831234567890", id="google-in-a-detail"),
        pytest.param({}, GOOGLE_TEXT, "projects/831234567890", id="google-in-a-sentence"),
        pytest.param({}, OPENAI, "org-AbCd1234", id="openai-in-a-sentence"),
        pytest.param({}, OPENROUTER, "user_2abcDEF", id="openrouter-beside-the-error"),
        pytest.param({}, b"\xff\x00 organization orga", None, id="bytes-that-name-nobody"),
        pytest.param({"openai-organization": " \x1b[2J "}, b"", None, id="a-header-that-holds-nothing-to-show"),
    ],
)
def test_the_account_that_an_answer_names(headers: dict[str, str], body: bytes, account: str | None) -> None:
    assert account_of(headers, body) == account
