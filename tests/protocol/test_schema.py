"""The written contract is what the code says, and valid in itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from rooroute.rpc.methods import METHODS
from rooroute.rpc.schema import files, openrpc

FILES = files()
SCHEMAS = FILES.keys() - {"openrpc.json", "settings.json"}
PROTOCOL = Path(__file__).parents[2] / "protocol"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openrpc()


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_generated_file_is_fresh(name: str) -> None:
    written = (PROTOCOL / name).read_text(encoding="utf-8")
    assert written == FILES[name], "stale: run python -m rooroute.rpc.schema"


def test_no_schema_has_outlived_its_model() -> None:
    assert {f"schemas/{path.name}" for path in (PROTOCOL / "schemas").iterdir()} == SCHEMAS


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_a_schema_is_valid(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(FILES[name]))


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def references(value: Any) -> set[str]:
        if isinstance(value, list):
            return set().union(*map(references, value))
        if not isinstance(value, dict):
            return set()
        here = {value["$ref"]} if "$ref" in value else set()
        return here.union(*map(references, value.values()))

    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert references(document) <= known


def test_every_method_is_in_the_contract(document: dict[str, Any]) -> None:
    assert [method["name"] for method in document["methods"]] == list(METHODS)


def test_required_params_come_first_and_are_named(document: dict[str, Any]) -> None:
    for method in document["methods"]:
        flags = [param["required"] for param in method["params"]]
        assert flags == sorted(flags, reverse=True)


def test_the_prose_names_every_method_error_and_command(document: dict[str, Any]) -> None:
    prose = (PROTOCOL / "README.md").read_text(encoding="utf-8")
    names = [
        entry["name"]
        for part in ("methods", "x-serverRequests", "x-notifications", "x-commands")
        for entry in document[part]
    ]
    codes = [str(error["code"]) for error in document["components"]["errors"].values()]
    kinds = [kind for kind in document["components"]["errors"] if not kind.startswith("-")]
    assert [word for word in (*names, *codes, *kinds) if f"`{word}`" not in prose] == []
