"""The rows of the provider table. A vendor on a known dialect is a row here and nothing else."""

from __future__ import annotations

from typing import Final

from rooroute.providers import azure, vertex
from rooroute.providers.anthropic import ANTHROPIC
from rooroute.providers.authentication import KeyPlace
from rooroute.providers.azure import AZURE_KEY, AZURE_OPENAI
from rooroute.providers.cohere import COHERE
from rooroute.providers.gemini import GEMINI
from rooroute.providers.huggingface import HUGGING_FACE
from rooroute.providers.litellm import LITELLM
from rooroute.providers.mistral import MISTRAL
from rooroute.providers.openai import OPENAI, OPENAI_COMPATIBLE
from rooroute.providers.openrouter import OPENROUTER
from rooroute.providers.responses import OPENAI_RESPONSES
from rooroute.providers.vendor import (
    Field,
    FieldKind,
    Key,
    KeyNeed,
    ModelList,
    ModelShape,
    Preset,
    Variant,
    Vendor,
)
from rooroute.providers.vertex import CLAUDE, VERTEX_ANTHROPIC, VERTEX_GEMINI

_KEY: Final = Field("apiKey", "API key", FieldKind.SECRET, required=True)
_KEY_IF_ANY: Final = Field("apiKey", "API key", FieldKind.SECRET, help="Leave empty where the server asks for none.")
_MODEL: Final = Field("model", "Model", FieldKind.MODEL, help="Used where a request names no model.")
_BASE_URL: Final = Field(
    "baseUrl", "Base URL", FieldKind.URL, help="Only for a proxy or a mirror; empty means the vendor's own."
)
_ALL: Final = ("images", "tools", "thinking", "prompt cache")

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
            Field(
                "options.api",
                "API",
                FieldKind.CHOICE,
                help="chat is Chat Completions; responses keeps the model's reasoning between tool calls and knows no stop sequences.",
                choices=("chat", "responses"),
            ),
            _BASE_URL,
        ),
        variants=(Variant(OPENAI_RESPONSES, option=("api", "responses")),),
        status_page="https://status.openai.com",
        offers=_ALL,
        regions="United States; other regions for projects with data residency",
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
        regions="where the server runs",
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
        offers=_ALL,
        regions="worldwide; United States on request",
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
        offers=_ALL,
        regions="worldwide",
    ),
    Vendor(
        id="azure-openai",
        name="Azure OpenAI",
        dialect=AZURE_OPENAI,
        default_base_url=None,
        documentation="https://learn.microsoft.com/azure/ai-foundry/openai/reference",
        key=Key(place=AZURE_KEY, page="https://portal.azure.com"),
        fields=(
            Field(
                "baseUrl",
                "Endpoint",
                FieldKind.URL,
                required=True,
                help="The resource's endpoint, or its newer address that ends in /openai/v1.",
                placeholder="https://my-resource.openai.azure.com",
            ),
            Field(
                "options.apiVersion",
                "API version",
                help="Needed unless the endpoint ends in /openai/v1.",
                placeholder="2024-10-21",
            ),
            Field(
                "options.deployments",
                "Deployments",
                FieldKind.OBJECT,
                help="Which deployment serves which model; without it a model's name is taken to be its deployment's.",
                placeholder='{"gpt-4o": "my-gpt-4o"}',
            ),
            Field(
                "apiKey",
                "API key",
                FieldKind.SECRET,
                required=True,
                help="An Entra token instead is set under Authentication (auth).",
            ),
            _MODEL,
        ),
        models=ModelList(
            "/openai/models",
            after={"/openai/v1": "/models", "/openai": "/models"},
            option_query={"api-version": "apiVersion"},
            complete=False,
        ),
        status_page="https://azure.status.microsoft/status",
        rules=(azure.version_rule, azure.deployments_rule),
        served_by="deployments",
        offers=_ALL,
        regions="the resource's region or data zone",
    ),
    Vendor(
        id="vertex",
        name="Google Vertex AI",
        dialect=VERTEX_GEMINI,
        default_base_url="https://aiplatform.googleapis.com/v1",
        documentation="https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference",
        key=Key(page="https://console.cloud.google.com/iam-admin/serviceaccounts", token="google"),  # noqa: S106
        fields=(
            Field(
                "options.project",
                "Project id",
                required=True,
                help="The Google Cloud project that pays.",
                placeholder="my-project-123456",
            ),
            Field(
                "options.location",
                "Location",
                help="global, which has the most room, unless data has to stay in a region.",
                placeholder="global",
            ),
            Field(
                "options.credentialsFile",
                "Credentials file",
                FieldKind.FILE,
                help="A service account's JSON file; empty means application default credentials.",
                placeholder="/home/me/service-account.json",
            ),
            Field(
                "apiKey",
                "Access token",
                FieldKind.SECRET,
                help="Only for a token made elsewhere; it lasts an hour.",
            ),
            _MODEL,
            _BASE_URL,
        ),
        models=ModelList(
            "/v1beta1/publishers/google/models",
            ModelShape.VERTEX,
            from_origin=True,
            option_headers={"x-goog-user-project": "project"},
            complete=False,
        ),
        status_page="https://status.cloud.google.com",
        variants=(Variant(VERTEX_ANTHROPIC, model=CLAUDE),),
        base_url=vertex.base_url,
        rules=(vertex.location_rule, vertex.project_rule),
        offers=_ALL,
        regions="the location you choose, or global",
    ),
    Vendor(
        id="openrouter",
        name="OpenRouter",
        dialect=OPENROUTER,
        default_base_url="https://openrouter.ai/api/v1",
        documentation="https://openrouter.ai/docs/api-reference/overview",
        key=Key(page="https://openrouter.ai/settings/keys"),
        fields=(
            _KEY,
            _MODEL,
            Field(
                "options.provider",
                "Provider preferences",
                FieldKind.OBJECT,
                help="order, only, ignore, allow_fallbacks, data_collection, zdr, sort, max_price, require_parameters, …",
                placeholder='{"order": ["anthropic"], "data_collection": "deny"}',
            ),
            Field("options.appTitle", "App title", help="Shown in OpenRouter's statistics.", placeholder="rooroute"),
            Field("options.appUrl", "App URL", FieldKind.URL, help="Shown in OpenRouter's statistics."),
            _BASE_URL,
        ),
        models=ModelList(proves_key=False),
        status_page="https://status.openrouter.ai",
        offers=_ALL,
        regions="wherever the chosen provider is",
    ),
    Vendor(
        id="litellm",
        name="LiteLLM",
        dialect=LITELLM,
        default_base_url="http://localhost:4000",
        documentation="https://docs.litellm.ai/docs/simple_proxy",
        key=Key(KeyNeed.OPTIONAL, dummy="dummy-key"),
        fields=(
            Field(
                "baseUrl",
                "Base URL",
                FieldKind.URL,
                help="The proxy's address; empty means port 4000 on this machine.",
                placeholder="http://localhost:4000",
            ),
            Field(
                "apiKey", "API key", FieldKind.SECRET, help="A key of the proxy; leave empty where it asks for none."
            ),
            _MODEL,
        ),
        models=ModelList("/v1/model/info", ModelShape.LITELLM),
        default_model="claude-3-7-sonnet-20250219",
        regions="where the proxy sends it",
    ),
    Vendor(
        id="mistral",
        name="Mistral",
        dialect=MISTRAL,
        default_base_url="https://api.mistral.ai/v1",
        documentation="https://docs.mistral.ai/api/",
        key=Key(page="https://console.mistral.ai/api-keys"),
        fields=(_KEY, _MODEL, _BASE_URL),
        status_page="https://status.mistral.ai",
        offers=("images", "tools", "thinking"),
        regions="European Union",
    ),
    Vendor(
        id="cohere",
        name="Cohere",
        dialect=COHERE,
        default_base_url="https://api.cohere.ai/compatibility/v1",
        documentation="https://docs.cohere.com/docs/compatibility-api",
        key=Key(page="https://dashboard.cohere.com/api-keys"),
        fields=(_KEY, _MODEL, _BASE_URL),
        models=ModelList("/v1/models", ModelShape.COHERE, from_origin=True),
        status_page="https://status.cohere.com",
        offers=("images", "tools", "thinking"),
    ),
    Vendor(
        id="huggingface",
        name="Hugging Face",
        dialect=HUGGING_FACE,
        default_base_url="https://router.huggingface.co/v1",
        documentation="https://huggingface.co/docs/inference-providers",
        key=Key(page="https://huggingface.co/settings/tokens"),
        fields=(
            Field(
                "apiKey",
                "Access token",
                FieldKind.SECRET,
                required=True,
                help="With the permission to call inference providers.",
            ),
            Field(
                "model",
                "Model",
                FieldKind.MODEL,
                help="Used where a request names no model; a provider may follow a colon.",
                placeholder="meta-llama/Llama-3.3-70B-Instruct:groq",
            ),
            _BASE_URL,
        ),
        models=ModelList(proves_key=False),
        status_page="https://status.huggingface.co",
        offers=("images", "tools", "thinking"),
        regions="wherever the chosen provider is",
    ),
    Vendor(
        id="xroute",
        name="XRoute.AI",
        dialect=OPENAI_COMPATIBLE,
        default_base_url="https://api.xroute.ai/openai/v1",
        documentation="https://xroute.ai",
        key=Key(page="https://xroute.ai"),
        fields=(_KEY, _MODEL, _BASE_URL),
    ),
)
