"""A rejected key's form tells the slip of the hand behind it, and a good key is never called odd."""

from __future__ import annotations

import pytest

from rooroute.providers.key_form import slip

LONG = "a1B2c3D4e5F6g7H8i9J0k1L2"


@pytest.mark.parametrize(
    ("key", "vendor", "words"),
    [
        ("sk-abc def", "openai", "space"),
        ("sk-abc\ndef", "openai", "line break"),
        (f'"sk-{LONG}"', "openai", "quotation marks"),
        (f"<sk-{LONG}>", "openai", "brackets"),
        (f"Bearer-sk-{LONG}", "openai", "Bearer"),
        ("$OPENAI_API_KEY", "openai", "environment variable"),
        ("OPENAI_API_KEY", "openai", "environment variable"),
        ("sk-xxxxxxxxxxxxxxxx", "openai", "placeholder"),
        ("sk-...", "openai", "placeholder"),
        ("your-api-key-here", "gemini", "placeholder"),
        (f"sk-ant-api03-{LONG}", "openai", "Anthropic"),
        (f"AIza{LONG}", "anthropic", "Google"),
        (f"gsk_{LONG}", "openai", "Groq"),
        (LONG, "openai", "does not begin with sk-"),
        (f"api03-{LONG}", "anthropic", "does not begin with sk-ant-"),
        (LONG, "gemini", "AIza or AQ."),
        (f"sk-{LONG}", "anthropic", "does not begin with sk-ant-"),
        (f"sk-test-{LONG}", "openai", "sandbox"),
        (f"sk-ant-sandbox-{LONG}", "anthropic", "sandbox"),
        ("sk-a1B2", "openai", "7 characters"),
    ],
)
def test_a_slip_is_named(key: str, vendor: str, words: str) -> None:
    found = slip(key, vendor, own_address=True)
    assert found is not None and words in found
    assert key not in found


@pytest.mark.parametrize(
    ("key", "vendor"),
    [
        (f"sk-{LONG}", "openai"),
        (f"sk-proj-{LONG}", "openai"),
        (f"sk-ant-api03-{LONG}", "anthropic"),
        (f"AIza{LONG}", "gemini"),
        (f"AQ.{LONG}", "gemini"),
        (f"sk-or-v1-{LONG}", "openrouter"),
        (f"hf_{LONG}", "huggingface"),
        (LONG, "mistral"),
        (f"sk-{LONG}", "xroute"),
    ],
)
def test_a_good_key_is_not_odd(key: str, vendor: str) -> None:
    assert slip(key, vendor, own_address=True) is None


@pytest.mark.parametrize("key", [LONG, "sk-1234", f"sk-ant-{LONG}", "sk-test-1"])
def test_on_somebody_elses_server_any_form_goes(key: str) -> None:
    assert slip(key, "openai", own_address=False) is None
