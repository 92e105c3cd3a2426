"""The offline table of prices fills gaps where its extra is installed, and is nothing where it is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rooroute.adapters import price_table
from rooroute.adapters.price_table import known_prices, known_range

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("base_url", "name"),
    [
        ("https://api.openai.com/v1", "gpt-4o"),
        ("https://api.anthropic.com", "claude-3-7-sonnet-20250219"),
        ("https://generativelanguage.googleapis.com/v1beta", "gemini-2.5-flash"),
        ("https://openrouter.ai/api/v1", "openai/gpt-4o"),
        ("https://api.mistral.ai/v1", "mistral-large-latest"),
    ],
)
async def test_a_vendors_model_has_its_price(base_url: str, name: str) -> None:
    found = (await known_prices(base_url, [name, "no-such-model"], NOW))[name]
    assert found.id == name
    assert found.input_price is not None and found.output_price is not None
    assert 0 < found.input_price <= found.output_price < 1000


async def test_a_price_in_tiers_is_the_first_tiers() -> None:
    found = await known_prices("https://generativelanguage.googleapis.com/v1beta", ["gemini-2.5-pro"], NOW)
    assert found["gemini-2.5-pro"].input_price == 1.25


@pytest.mark.parametrize("base_url", ["http://localhost:8000/v1", "https://models.example/v1", "no address"])
async def test_a_server_of_nobodys_has_no_prices(base_url: str) -> None:
    assert await known_prices(base_url, ["gpt-4o"], NOW) == {}


async def test_an_unknown_model_has_none() -> None:
    assert await known_prices("https://api.openai.com/v1", ["no-such-model"], NOW) == {}


@pytest.mark.parametrize(
    "base_url", ["https://api.openai.com/v1", "https://api.anthropic.com", "https://openrouter.ai/api/v1"]
)
async def test_a_vendor_has_the_range_of_its_prices_and_its_largest_window(base_url: str) -> None:
    found = await known_range(base_url, NOW)
    assert found is not None
    for low, high in (found.input, found.output):
        assert 0 < low < high < 10_000
    assert 100_000 <= found.largest_window <= 100_000_000


async def test_a_server_of_nobodys_has_no_range() -> None:
    assert await known_range("https://models.example/v1", NOW) is None
    assert price_table._CLERK._process is not None, "whoever was asked has not fallen over it"


@pytest.mark.skipif(not hasattr(os, "getpriority"), reason="not tested here: niceness, which this system does not have")
async def test_who_reads_the_table_lets_the_streams_of_the_process_go_first() -> None:
    assert await known_prices("https://api.openai.com/v1", ["gpt-4o"], NOW)
    reading = price_table._CLERK._process
    assert reading is not None
    assert os.getpriority(os.PRIO_PROCESS, reading.pid) > os.getpriority(os.PRIO_PROCESS, 0)


async def test_the_table_is_not_loaded_for_a_server_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    clerk = price_table._Clerk()
    monkeypatch.setattr(price_table, "_CLERK", clerk)
    assert await known_prices("http://127.0.0.1:11434/v1", ["gpt-4o"], NOW) == {}
    assert await known_range("http://localhost:11434/v1", NOW + 86_400.0) is None
    assert clerk._process is None


async def test_a_python_that_was_moved_away_costs_the_table_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(price_table, "_CLERK", price_table._Clerk())
    price_table._range.cache_clear()
    with monkeypatch.context() as moved:
        moved.setattr(sys, "executable", str(tmp_path / "python"))
        assert await known_prices("https://api.openai.com/v1", ["gpt-4o"], NOW) == {}
        assert await known_range("https://api.openai.com/v1", NOW) is None
    price_table._range.cache_clear()
    assert await known_prices("https://api.openai.com/v1", ["gpt-4o"], NOW), "it is back"


def test_without_the_extra_there_is_nothing_and_it_is_loaded_only_when_asked() -> None:
    code = """
import asyncio, sys
from rooroute.adapters.price_table import known_prices, known_range
assert not any(name.startswith("genai_prices") for name in sys.modules)
sys.modules["genai_prices"] = None
sys.modules["genai_prices.data_snapshot"] = None
assert asyncio.run(known_prices("https://api.openai.com/v1", ["gpt-4o"], 1.8e9)) == {}
assert asyncio.run(known_range("https://api.openai.com/v1", 1.8e9)) is None
"""
    subprocess.run([sys.executable, "-c", code], check=True)
