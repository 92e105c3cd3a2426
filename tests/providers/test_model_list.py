"""Every shape of a list of models is read, page by page, and whatever else is sent in its place is told apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rooroute.profiles import Profile
from rooroute.providers.model_list import Model, Page, first_page, read_page, turned, uses_computers
from rooroute.providers.table import PROVIDERS, target_for
from rooroute.providers.vendor import ModelShape
from rooroute.secret import Secret, origin_of

RECORDED = Path(__file__).parent / "recorded" / "model_lists"


def recorded(name: str, shape: ModelShape) -> dict[str, Model]:
    page = read_page(shape, (RECORDED / f"{name}.json").read_bytes())
    assert page is not None
    return {model.id: model for model in page.models}


EXPECTED: list[tuple[str, ModelShape, Model]] = [
    ("openai", ModelShape.OPENAI, Model(id="gpt-4o")),
    (
        "openrouter",
        ModelShape.OPENAI,
        Model(
            id="anthropic/claude-sonnet-4",
            name="Anthropic: Claude Sonnet 4",
            context_window=1_000_000,
            max_tokens=64_000,
            supports_images=True,
            supports_tools=True,
            input_price=3.0,
            output_price=15.0,
            cache_read_price=0.3,
            cache_write_price=3.75,
        ),
    ),
    (
        "mistral",
        ModelShape.OPENAI,
        Model(
            id="mistral-small-latest",
            name="mistral-small-2506",
            context_window=131_072,
            supports_images=True,
            supports_tools=True,
        ),
    ),
    (
        "groq",
        ModelShape.OPENAI,
        Model(id="llama-3.3-70b-versatile", context_window=131_072, max_tokens=32_768),
    ),
    (
        "together",
        ModelShape.OPENAI,
        Model(
            id="meta-llama/Llama-3.3-70B-Instruct-Turbo",
            name="Meta Llama 3.3 70B Instruct Turbo",
            context_window=131_072,
            input_price=0.88,
            output_price=0.88,
        ),
    ),
    (
        "huggingface",
        ModelShape.OPENAI,
        Model(
            id="openai/gpt-oss-120b",
            context_window=131_072,
            supports_images=False,
            supports_tools=True,
            input_price=0.25,
            output_price=0.69,
        ),
    ),
    ("vllm", ModelShape.OPENAI, Model(id="NousResearch/Meta-Llama-3-8B-Instruct", context_window=8192)),
    ("llama.cpp", ModelShape.OPENAI, Model(id="gemma.gguf", context_window=131_072)),
    (
        "llama.cpp-started-with-a-window",
        ModelShape.OPENAI,
        Model(id="tiny", context_window=16_384, supports_images=False),
    ),
    (
        "anthropic",
        ModelShape.ANTHROPIC,
        Model(
            id="claude-opus-4-6",
            name="Claude Opus 4.6",
            context_window=1_000_000,
            max_tokens=128_000,
            supports_images=True,
        ),
    ),
    (
        "gemini",
        ModelShape.GEMINI,
        Model(
            id="gemini-2.5-flash",
            name="Gemini 2.5 Flash",
            context_window=1_048_576,
            max_tokens=65_536,
            supports_prompt_cache=True,
        ),
    ),
    (
        "litellm",
        ModelShape.LITELLM,
        Model(
            id="claude-3-7-sonnet",
            context_window=200_000,
            max_tokens=64_000,
            supports_images=True,
            supports_tools=True,
            supports_prompt_cache=True,
            supports_computer_use=True,
            input_price=3.0,
            output_price=15.0,
            cache_read_price=0.3,
            cache_write_price=3.75,
        ),
    ),
    (
        "cohere",
        ModelShape.COHERE,
        Model(id="command-a-03-2025", context_window=288_000, supports_images=False, supports_tools=True),
    ),
    ("vertex", ModelShape.VERTEX, Model(id="gemini-2.5-pro")),
]


@pytest.mark.parametrize(("name", "shape", "expected"), EXPECTED, ids=[name for name, _, _ in EXPECTED])
def test_a_recorded_list_is_read(name: str, shape: ModelShape, expected: Model) -> None:
    assert next(iter(recorded(name, shape).values())) == expected


def test_every_shape_has_a_recorded_list() -> None:
    assert {shape for _, shape, _ in EXPECTED} == set(ModelShape)


@pytest.mark.parametrize("row", PROVIDERS.values(), ids=PROVIDERS)
def test_every_vendors_list_can_be_read(row: Any) -> None:
    assert row.models is None or read_page(row.models.shape, b'{"data":[],"models":[],"publisherModels":[]}') == Page(
        (), {}
    )


@pytest.mark.parametrize(
    ("name", "shape", "left_out"),
    [
        ("mistral", ModelShape.OPENAI, "mistral-embed"),
        ("together", ModelShape.OPENAI, "black-forest-labs/FLUX.1-schnell"),
        ("gemini", ModelShape.GEMINI, "gemini-embedding-001"),
        ("cohere", ModelShape.COHERE, "embed-v4.0"),
        ("vertex", ModelShape.VERTEX, "imagen-4.0-generate-001"),
    ],
)
def test_what_cannot_chat_is_left_out(name: str, shape: ModelShape, left_out: str) -> None:
    assert left_out not in recorded(name, shape)


def test_a_price_that_depends_is_no_price() -> None:
    auto = recorded("openrouter", ModelShape.OPENAI)["openrouter/auto"]
    assert (auto.input_price, auto.output_price) == (None, None)


def test_a_litellm_row_falls_back_to_the_older_field_and_rows_without_the_needed_parts_are_skipped() -> None:
    found = recorded("litellm", ModelShape.LITELLM)
    assert list(found) == ["claude-3-7-sonnet", "house-model"]
    house = found["house-model"]
    assert (house.max_tokens, house.supports_images, house.supports_computer_use) == (4096, False, False)
    assert (house.context_window, house.supports_prompt_cache, house.input_price) == (None, None, None)


@pytest.mark.parametrize(
    "name",
    [
        "claude-3-5-sonnet-latest",
        "claude-3-5-sonnet-20241022",
        "anthropic/claude-3-7-sonnet-20250219",
        "vertex_ai/claude-3-5-sonnet-v2@20241022",
        "vertex_ai/claude-opus-4@20250514",
        "openrouter/anthropic/claude-3.5-sonnet:beta",
        "openrouter/anthropic/claude-3.7-sonnet",
        "us.anthropic.claude-opus-4-20250514-v1:0",
        "bedrock/eu.anthropic.claude-sonnet-4-20250514-v1:0",
        "snowflake/claude-3-5-sonnet",
        "claude-haiku-4-5-20251001",
    ],
)
def test_the_underlying_models_name_tells_that_it_uses_computers(name: str) -> None:
    assert uses_computers(name)


@pytest.mark.parametrize(
    "name",
    ["openai/gpt-4o", "claude-3-haiku-20240307", "claude-3-5-sonnet-20240620", "ollama/claude-3-5-sonnetish", ""],
)
def test_other_models_are_not_taken_to_use_computers(name: str) -> None:
    assert not uses_computers(name)


@pytest.mark.parametrize(
    ("shape", "name", "query"),
    [
        (ModelShape.ANTHROPIC, "anthropic", {"after_id": "claude-sonnet-4-20250514"}),
        (ModelShape.GEMINI, "gemini", {"pageToken": "Ch9tb2RlbHMvZ2VtaW5p"}),
        (ModelShape.COHERE, "cohere", {}),
        (ModelShape.VERTEX, "vertex", {"pageToken": "abc"}),
        (ModelShape.OPENAI, "openai", {}),
        (ModelShape.LITELLM, "litellm", {}),
    ],
)
def test_the_next_page_is_named(shape: ModelShape, name: str, query: dict[str, str]) -> None:
    page = read_page(shape, (RECORDED / f"{name}.json").read_bytes())
    assert page is not None and page.next == query


def test_coheres_next_page_is_named() -> None:
    page = read_page(ModelShape.COHERE, b'{"models":[{"name":"c"}],"next_page_token":"bW9yZQ"}')
    assert page is not None and page.next == {"page_token": "bW9yZQ"}


def request_of(provider: str, base_url: str | None, **more: Any) -> str:
    profile = Profile(id="mine", provider=provider, base_url=base_url, **more)
    own = base_url or PROVIDERS[provider].default_base_url or ""
    request = first_page(target_for(profile, "m", {"apiKey": Secret("k", origin_of(own))}))
    assert request is not None
    return request.url


def test_the_longest_page_is_asked_for() -> None:
    assert request_of("anthropic", None) == "https://api.anthropic.com/v1/models?limit=1000"
    gemini = "https://generativelanguage.googleapis.com/v1beta/models?pageSize=1000"
    assert request_of("gemini", None) == gemini
    assert request_of("gemini", None, query={"tenant": "a b"}) == gemini.replace("?", "?tenant=a+b&")


def test_doubled_slashes_are_undone() -> None:
    assert request_of("openai", "http://localhost:8000//proxy//v1/") == "http://localhost:8000/proxy/v1/models"


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        (None, "http://localhost:4000/v1/model/info"),
        ("http://localhost:4000", "http://localhost:4000/v1/model/info"),
        ("http://localhost:4000///", "http://localhost:4000/v1/model/info"),
        ("http://localhost:4000/v1", "http://localhost:4000/v1/model/info"),
        ("http://localhost:4000/v1/", "http://localhost:4000/v1/model/info"),
        ("https://gateway.example//team//litellm/", "https://gateway.example/team/litellm/v1/model/info"),
        ("https://gateway.example/litellm//v1//", "https://gateway.example/litellm/v1/model/info"),
    ],
)
def test_a_litellm_proxy_is_asked_at_one_path_whatever_the_base_url(base_url: str | None, url: str) -> None:
    assert request_of("litellm", base_url) == url


def test_a_litellm_proxy_without_a_key_gets_the_dummy_one_as_bearer() -> None:
    request = first_page(target_for(Profile(id="mine", provider="litellm"), "m", {}))
    assert request is not None
    prefix, secret = request.secret_headers["authorization"]
    assert prefix + secret.reveal("http://localhost:4000") == "Bearer dummy-key"


def test_a_page_is_turned_without_losing_the_first_ones_query() -> None:
    profile = Profile(id="mine", provider="anthropic")
    request = first_page(target_for(profile, "m", {"apiKey": Secret("k", "https://api.anthropic.com:443")}))
    assert request is not None
    assert turned(request, {"after_id": "a/b"}).url.endswith("/v1/models?limit=1000&after_id=a%2Fb")


@pytest.mark.parametrize("shape", ModelShape)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"7",
        b'"data"',
        b"{}",
        b'{"data":{"id":"x"},"models":3,"publisherModels":3}',
        b"\xff\xfe",
        b"<html>",
        b"[" * 100_000,
    ],
    ids=["empty", "null", "number", "text", "no-rows", "rows-that-are-none", "no-utf8", "html", "deep"],
)
def test_what_is_no_list_is_told_apart(shape: ModelShape, body: bytes) -> None:
    assert read_page(shape, body) is None


def test_senseless_rows_and_values_are_dropped_alone() -> None:
    rows: list[Any] = [
        None,
        "text",
        {"id": 7},
        {"id": ""},
        {"id": "x" * 300},
        {"id": "two\nlines"},
        {"id": "ok", "context_length": -1, "max_model_len": True, "pricing": {"prompt": "NaN", "completion": "1e400"}},
        {"id": "ok", "context_length": 5},
    ]
    page = read_page(ModelShape.OPENAI, json.dumps({"data": rows}).encode())
    assert page == Page((Model(id="ok"),), {})


def test_no_more_than_ten_thousand_models_are_read() -> None:
    body = json.dumps({"data": [{"id": f"m{n}"} for n in range(10_050)]}).encode()
    page = read_page(ModelShape.OPENAI, body)
    assert page is not None and len(page.models) == 10_000
