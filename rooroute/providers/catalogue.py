"""The rows of the provider table. A vendor on a known dialect is a row here and nothing else."""

from __future__ import annotations

from typing import Final

from rooroute.providers.anthropic import ANTHROPIC
from rooroute.providers.authentication import KeyPlace
from rooroute.providers.gemini import GEMINI
from rooroute.providers.openai import OPENAI, OPENAI_COMPATIBLE
from rooroute.providers.vendor import Field, FieldKind, Key, KeyNeed, ModelList, ModelShape, Preset, Vendor

_KEY: Final = Field("apiKey", "API key", FieldKind.SECRET, required=True)
_KEY_IF_ANY: Final = Field("apiKey", "API key", FieldKind.SECRET, help="Leave empty where the server asks for none.")
_MODEL: Final = Field("model", "Model", FieldKind.MODEL, help="Used where a request names no model.")
_BASE_URL: Final = Field(
    "baseUrl", "Base URL", FieldKind.URL, help="Only for a proxy or a mirror; empty means the vendor's own."
)

ROWS: Final = (
    Vendor(
        id="openai",
        name="OpenAI",
        dialect=OPENAI,
        default_base_url="https://api.openai.com/v1",
        documentation="https://platform.openai.com/docs/api-reference/chat",
        key=Key(page="https://platform.openai.com/api-keys"),
        fields=(
            _KEY,
            _MODEL,
            Field(
                "options.organization",
                "Organization",
                help="Only if your account belongs to several.",
                placeholder="org-…",
            ),
            Field("options.project", "Project", help="Only for keys that are not bound to one.", placeholder="proj_…"),
            _BASE_URL,
        ),
        status_page="https://status.openai.com",
    ),
    Vendor(
        id="openai-compatible",
        name="OpenAI-compatible server",
        dialect=OPENAI_COMPATIBLE,
        default_base_url=None,
        documentation="https://platform.openai.com/docs/api-reference/chat",
        key=Key(KeyNeed.OPTIONAL),
        fields=(
            Field(
                "baseUrl",
                "Base URL",
                FieldKind.URL,
                required=True,
                help="Up to the version: what stands before /chat/completions.",
                placeholder="http://localhost:8000/v1",
            ),
            _KEY_IF_ANY,
            _MODEL,
        ),
        presets=(
            Preset(
                "vllm",
                "vLLM",
                "http://localhost:8000/v1",
                False,
                "https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html",
            ),
            Preset(
                "llama.cpp",
                "llama.cpp server",
                "http://localhost:8080/v1",
                False,
                "https://github.com/ggml-org/llama.cpp/tree/master/tools/server",
            ),
            Preset(
                "ollama",
                "Ollama",
                "http://localhost:11434/v1",
                False,
                "https://docs.ollama.com/api/openai-compatibility",
            ),
            Preset(
                "lm-studio",
                "LM Studio",
                "http://localhost:1234/v1",
                False,
                "https://lmstudio.ai/docs/developer/openai-compat",
            ),
            Preset("xroute", "XRoute.AI", "https://api.xroute.ai/openai/v1", True, "https://xroute.ai"),
            Preset("deepseek", "DeepSeek", "https://api.deepseek.com/v1", True, "https://api-docs.deepseek.com"),
            Preset("groq", "Groq", "https://api.groq.com/openai/v1", True, "https://console.groq.com/docs/openai"),
            Preset(
                "together",
                "Together AI",
                "https://api.together.xyz/v1",
                True,
                "https://docs.together.ai/docs/openai-api-compatibility",
            ),
            Preset("xai", "xAI", "https://api.x.ai/v1", True, "https://docs.x.ai/docs/api-reference"),
        ),
    ),
    Vendor(
        id="anthropic",
        name="Anthropic",
        dialect=ANTHROPIC,
        default_base_url="https://api.anthropic.com",
        documentation="https://platform.claude.com/docs/en/api/messages",
        key=Key(place=KeyPlace("x-api-key", ""), page="https://platform.claude.com/settings/keys"),
        fields=(
            _KEY,
            _MODEL,
            Field(
                "options.promptCache",
                "Prompt cache",
                FieldKind.BOOLEAN,
                help="Marks system prompt, tools and history as cacheable.",
            ),
            _BASE_URL,
        ),
        models=ModelList("/v1/models", ModelShape.ANTHROPIC, {"anthropic-version": "2023-06-01"}),
        status_page="https://status.claude.com",
    ),
    Vendor(
        id="gemini",
        name="Google Gemini",
        dialect=GEMINI,
        default_base_url="https://generativelanguage.googleapis.com/v1beta",
        documentation="https://ai.google.dev/api/generate-content",
        key=Key(place=KeyPlace("x-goog-api-key", ""), page="https://aistudio.google.com/apikey"),
        fields=(_KEY, _MODEL, _BASE_URL),
        models=ModelList("/models", ModelShape.GEMINI),
        status_page="https://aistudio.google.com/status",
    ),
)
