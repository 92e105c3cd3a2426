"""Writes the contract that other languages read: ``protocol/openrpc.json`` and ``protocol/schemas/``, from the models and the methods.

``python -m rooroute.rpc.schema`` writes them; a test fails when they are stale. OpenRPC (https://spec.open-rpc.org) knows no direction:
``methods`` are what a client asks of the server, the server's own requests and notifications stand in ``x-serverRequests`` and
``x-notifications``. ``x-params`` names the schema of a method's params as a whole.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from rooroute import errors
from rooroute.profiles import Defaults, Pool, Profile
from rooroute.rpc import messages as m
from rooroute.rpc.commands import COMMANDS
from rooroute.rpc.methods import METHODS
from rooroute.rpc.settings_table import keys, with_descriptions
from rooroute.version import PROTOCOL_VERSION

Json = dict[str, Any]

SERVER_REQUESTS: Final[Mapping[str, tuple[type[BaseModel], type[BaseModel], str]]] = {
    "rooroute/secrets/get": (m.ReadSecret, m.SecretValue, "The secret the editor keeps for a profile's slot."),
    "rooroute/secrets/set": (m.WriteSecret, m.Empty, "Keep a secret."),
    "rooroute/secrets/delete": (m.ReadSecret, m.Empty, "Forget a secret."),
}
NOTIFICATIONS: Final[Mapping[str, tuple[type[BaseModel], str]]] = {
    "$/progress": (m.Progress, "A piece of a running request, by its partialResultToken."),
    "rooroute/statusChanged": (m.StatusChanged, "What a user sees has changed."),
}
CONFIG_SCHEMA: Final = "schemas/config.json"
SETTINGS: Final = "settings.json"
PACKAGED: Final = Path(__file__).parents[1] / "config.schema.json"
"""The copy of ``schemas/config.json`` that goes along with the package, to be laid beside a user's configuration."""
_REF: Final = "#/components/schemas/{model}"
_JSON_RPC_ERRORS: Final = {
    -32700: "parse error",
    -32600: "invalid message, duplicate id, or after shutdown",
    -32601: "unknown method",
    -32603: "internal; data.reference is found in the server's log",
    -32002: "not initialized",
}


def models() -> list[type[BaseModel]]:
    """Every message that stands for itself."""
    found: dict[type[BaseModel], None] = {}
    for method in METHODS.values():
        found |= {method.params: None, method.result: None}
    for params, result, _ in SERVER_REQUESTS.values():
        found |= {params: None, result: None}
    for params, _ in NOTIFICATIONS.values():
        found[params] = None
    return [*found, m.ErrorData]


def openrpc() -> Json:
    """The whole contract as one OpenRPC document."""
    _, definitions = models_json_schema([(model, "validation") for model in models()], ref_template=_REF)
    schemas = dict(sorted(_tidied(definitions["$defs"]).items()))
    return {
        "openrpc": "1.3.2",
        "info": {
            "title": "rooroute",
            "version": PROTOCOL_VERSION,
            "description": "JSON-RPC 2.0 in the Language Server Protocol's framing and life cycle; see README.md.",
            "license": {"name": "MIT"},
        },
        "methods": [_method(name, row.params, row.result, row.summary, schemas) for name, row in METHODS.items()],
        "components": {"schemas": schemas, "errors": _errors()},
        "x-serverRequests": [
            _method(name, params, result, summary, schemas)
            for name, (params, result, summary) in SERVER_REQUESTS.items()
        ],
        "x-notifications": [
            {"name": name, "summary": summary, "x-params": _ref(params)}
            for name, (params, summary) in NOTIFICATIONS.items()
        ],
        "x-commands": [
            {"name": name, "arguments": command.usage, "method": command.method} for name, command in COMMANDS.items()
        ],
    }


def files() -> dict[str, str]:
    """Every generated file by its path below ``protocol/``."""
    found = {"openrpc.json": openrpc()}
    for model in models():
        schema = _tidied(model.model_json_schema(mode="validation"))
        named = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": model.__name__, **schema}
        found[f"schemas/{model.__name__}.json"] = named
    written = {name: json.dumps(document, indent=2, ensure_ascii=False) + "\n" for name, document in found.items()}
    table = json.dumps(settings_table(), indent=2, ensure_ascii=False) + "\n"
    return {**written, CONFIG_SCHEMA: config_schema_text(), SETTINGS: table}


def config_schema_text() -> str:
    """The JSON Schema of the configuration file, for editors that check and complete by it."""
    sections: dict[str, TypeAdapter[Any]] = {
        "profiles": TypeAdapter(list[Profile]),
        "pools": TypeAdapter(list[Pool]),
        "defaults": TypeAdapter(Defaults),
    }
    found, document = TypeAdapter.json_schemas([(name, "validation", each) for name, each in sections.items()])
    properties = {name: {"anyOf": [_tidied(found[name, "validation"]), {"type": "null"}]} for name in sections}
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",  # the newest that the YAML language server knows well
        "title": "rooroute's configuration",
        "description": "Profiles in order of preference, the pools they serve in, and what holds for all.",
        "type": "object",
        "properties": {"version": {"const": 1, "description": "The version of the file's format."}, **properties},
        "additionalProperties": False,
        "$defs": _tidied(document["$defs"]),
    }
    return json.dumps(with_descriptions(schema), indent=2, ensure_ascii=False) + "\n"


def settings_table() -> Json:
    """Every key of the configuration with its kind, what it is for, and an example."""
    return {
        "description": "Every key of the configuration. An entry of a list is spelled [], any name *; with is what the example needs besides.",
        "keys": [each.row() for each in keys(json.loads(config_schema_text()))],
    }


def write(folder: Path) -> None:
    """Write every file below ``folder`` and remove schemas that no longer have a model."""
    fresh = files()
    PACKAGED.write_text(fresh[CONFIG_SCHEMA], encoding="utf-8")
    for stale in (folder / "schemas").glob("*.json"):
        if f"schemas/{stale.name}" not in fresh:
            stale.unlink()
    for name, text in fresh.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _ref(model: type[BaseModel]) -> Json:
    return {"$ref": _REF.format(model=model.__name__)}


def _method(name: str, params: type[BaseModel], result: type[BaseModel], summary: str, schemas: Json) -> Json:
    shape = schemas[params.__name__]
    required = set(shape.get("required", ()))
    fields = [
        {"name": field, "required": field in required, "schema": schema}
        for field, schema in shape.get("properties", {}).items()
    ]
    return {
        "name": name,
        "summary": summary,
        "paramStructure": "by-name",
        "params": sorted(fields, key=lambda field: not field["required"]),
        "result": {"name": "result", "schema": _ref(result)},
        "x-params": _ref(params),
    }


def _kinds(root: type[errors.RoorouteError]) -> Iterable[type[errors.RoorouteError]]:
    for kind in root.__subclasses__():
        yield kind
        yield from _kinds(kind)


def _errors() -> Json:
    """Every error by its kind; its data are ``ErrorData``."""
    found = {
        kind.kind: {"code": kind.code, "message": kind.kind, "data": _ref(m.ErrorData)}
        for kind in _kinds(errors.RoorouteError)
        if "code" in vars(kind)
    }
    plain = {str(code): {"code": code, "message": meaning} for code, meaning in _JSON_RPC_ERRORS.items()}
    return {**found, **plain}


def _tidied(schema: Any) -> Any:
    """Without pydantic's titles, which repeat each field's name; and with what tells alternatives apart (a constant) always required, as
    it is when params are read."""
    if isinstance(schema, list):
        return [_tidied(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    tidy = {key: _tidied(value) for key, value in schema.items() if key != "title" or not isinstance(value, str)}
    properties = tidy.get("properties")
    if isinstance(properties, dict):
        constants = [name for name, field in properties.items() if isinstance(field, dict) and "const" in field]
        required = {**dict.fromkeys(tidy.get("required", ())), **dict.fromkeys(constants)}
        if required:
            tidy["required"] = list(required)
        for name in constants:
            properties[name].pop("default", None)
    return tidy


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[2] / "protocol")
