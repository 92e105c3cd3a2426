"""What a rejected key's own form tells: a slip of the hand, another vendor's key, a key for tests. Never the key itself."""

from __future__ import annotations

import re
from typing import Final

# How keys begin, longest first. https://github.com/gitleaks/gitleaks/blob/master/config/gitleaks.toml collects such forms.
_OWNERS: Final[tuple[tuple[str, str, str], ...]] = (
    ("sk-ant-", "anthropic", "Anthropic"),
    ("sk-or-", "openrouter", "OpenRouter"),
    ("AIza", "gemini", "Google"),
    ("AQ.", "gemini", "Google"),
    ("gsk_", "groq", "Groq"),
    ("xai-", "xai", "xAI"),
    ("hf_", "huggingface", "Hugging Face"),
    ("sk-", "openai", "OpenAI"),
)
_SHARED: Final = frozenset({"sk-"})  # many vendors' keys begin so; it names nobody
_PLACEHOLDER: Final = re.compile(r"x{4,}|\*{3,}|\.\.\.|your|api[_-]?key|changeme|insert|placeholder", re.IGNORECASE)
_FOR_TESTS: Final = re.compile(r"(?:^|[-_.])(?:test|sandbox|demo|dummy|fake)(?:[-_.]|$)", re.IGNORECASE)
_SHORTEST: Final = 16


def slip(key: str, vendor: str, *, own_address: bool) -> str | None:
    """What is odd about ``key`` as a key of ``vendor`` (a row of the provider table), a sentence; None when nothing is.

    ``own_address`` is true when it goes to the vendor's own servers: only there is the vendor's form a must.
    """
    if any(c.isspace() for c in key):
        return "The key holds a space or a line break inside."
    if key[:1] in "\"'`<" or key[-1:] in "\"'`>":
        return "The key stands in quotation marks or brackets."
    if key.lower().startswith(("bearer", "authorization:", "x-api-key")):
        return "The key begins with a header's word such as Bearer; only the key itself belongs there."
    if key.startswith("$") or (key.isupper() and key.endswith(("_KEY", "_TOKEN"))):
        return "The key is the name of an environment variable; write it as ${NAME} for its value."
    if _PLACEHOLDER.search(key):
        return "The key is an example's placeholder."
    return _of_vendor(key, vendor) if own_address else None


def _of_vendor(key: str, vendor: str) -> str | None:
    owner = next(((prefix, row, name) for prefix, row, name in _OWNERS if key.startswith(prefix)), None)
    if owner is not None and owner[1] != vendor and owner[0] not in _SHARED:
        return f"The key begins with {owner[0]}, as those of {owner[2]} do."
    usual = [prefix for prefix, row, _ in _OWNERS if row == vendor]
    if usual and not key.startswith(tuple(usual)):
        return (
            f"The key does not begin with {' or '.join(usual)}: its beginning is missing, or it is another kind of key."
        )
    if _FOR_TESTS.search(key):
        return "The key looks like one for tests or a sandbox."
    return f"The key is only {len(key)} characters long: a part is missing." if usual and len(key) < _SHORTEST else None
