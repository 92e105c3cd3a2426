"""Whose account an answer was charged to, where the provider tells: keys of one account draw on one quota."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from rooroute.providers.redaction import plain

_HEADERS: Final = ("openai-organization", "anthropic-organization-id")
"""https://platform.openai.com/docs/api-reference/debugging-requests, https://platform.claude.com/docs/en/api/overview#response-headers"""

# Google's ErrorInfo and quota sentences name the consumer (https://cloud.google.com/apis/design/errors#error_info), OpenAI's sentence the
# organization ("Rate limit reached for gpt-4o in organization org-abc on tokens per min"), OpenRouter's body the user.
_IN_BODY: Final = tuple(
    re.compile(each)
    for each in (
        rb'"consumer"\s*:\s*"(projects/[a-z0-9:.-]{1,60})"',
        rb"consumer '(project_number:\d{1,20})'",
        rb"\borganization (org-[A-Za-z0-9]{4,60})\b",
        rb'"user_id"\s*:\s*"((?:user|org)_[A-Za-z0-9]{4,60})"',
    )
)
_MOST: Final = 65_536
_GOOGLE_NUMBER: Final = "project_number:"


def account_of(headers: Mapping[str, str], error_body: bytes = b"") -> str | None:
    """The account that ``headers`` (names lower case) or an error's body name, or None."""
    for name in _HEADERS:
        if told := plain(headers.get(name, ""))[:100]:
            return told
    for each in _IN_BODY:
        if found := each.search(error_body[:_MOST]):
            account = found.group(1).decode("ascii")
            return account.replace(_GOOGLE_NUMBER, "projects/")
    return None
