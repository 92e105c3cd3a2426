from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.conftest import config_path, home, window
from tests.foreign import install, llama_server
from tests.foreign.processes import environment, free_port, running

__all__ = ["config_path", "home", "window"]

HERE: Final = Path(__file__).parent
KEYS: Final = ("key-A", "key-B")
_LARGE_TOO: Final = os.environ.get("ROOROUTE_CI") == "1"


def pytest_collection_finish(session: pytest.Session) -> None:
    """Install what the chosen tests need. What cannot be had is reported by tests/conftest.py as not tested here."""
    if session.config.option.collectonly:
        return
    named = {name for item in session.items for marker in item.iter_markers("requires") for name in marker.args}
    screen = session.config.pluginmanager.get_plugin("terminalreporter")
    assert screen is not None
    for name, package in install.PACKAGES.items():
        if name not in named or install.is_current(name) or (package.large and not _LARGE_TOO):
            continue
        screen.write_line(f"installing {name} for the tests beside it")
        try:
            install.install(name)
        except install.NotInstalled as why:
            screen.write_line(f"{name} could not be installed: {why}")


@pytest.fixture(scope="session")
def aimock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of https://github.com/CopilotKit/aimock with the replies of aimock/replies.json. It takes KEYS and no other."""
    folder, port = tmp_path_factory.mktemp("aimock"), free_port()
    replies = {"fixtures": str(HERE / "aimock"), "latency": 0, "chunkSize": 8}
    settings = {"host": "127.0.0.1", "port": port, "strict": True, "auth": {"apiKeys": KEYS}, "llm": replies}
    (folder / "aimock.json").write_text(json.dumps(settings))
    program = HERE / "node_modules" / "@copilotkit" / "aimock" / "dist" / "aimock-cli.js"
    address = f"http://127.0.0.1:{port}"
    with running(["node", program, "--config", "aimock.json"], f"{address}/health", folder, environment(folder)):
        yield address


@pytest.fixture
def mocklimit(tmp_path: Path) -> Iterator[str]:
    """The address of https://pypi.org/project/mocklimit with windows of its own, empty at the beginning of each test."""
    folder, port = tmp_path / "mocklimit", free_port()
    folder.mkdir()
    given: list[str | Path] = [
        "--spec",
        HERE / "mocklimit" / "openapi.yaml",
        "--rate-config",
        HERE / "mocklimit" / "limits.yaml",
    ]
    program = install.python("mocklimit").with_name("mocklimit")
    address = f"http://127.0.0.1:{port}"
    with running([program, "serve", *given, "--port", str(port)], f"{address}/", folder, environment(folder)):
        yield address


@pytest.fixture(scope="session")
def mock_ai_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The Anthropic side of https://pypi.org/project/mock-ai-api; its own launcher leaves its children behind, so it is not used."""
    folder, port = tmp_path_factory.mktemp("mock-ai-api"), free_port()
    serve = ["-m", "uvicorn", "app.anthropic_app:app", "--host", "127.0.0.1", "--port", str(port)]
    address = f"http://127.0.0.1:{port}"
    with running([install.python("mock-ai-api"), *serve], f"{address}/health", folder, environment(folder)):
        yield address


@pytest.fixture(scope="session")
def litellm(aimock: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a LiteLLM proxy, https://docs.litellm.ai/docs/simple_proxy, with litellm/config.yaml; its key is sk-master."""
    folder, port = tmp_path_factory.mktemp("litellm"), free_port()
    program = install.python("litellm").with_name("litellm")
    given: list[str | Path] = ["--config", HERE / "litellm" / "config.yaml", "--host", "127.0.0.1", "--port", str(port)]
    behind = {"AIMOCK": aimock, "AIMOCK_OPENAI": f"{aimock}/v1", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    address = f"http://127.0.0.1:{port}"
    with running([program, *given], f"{address}/health/liveliness", folder, environment(folder, **behind)):
        yield address


@pytest.fixture(scope="session")
def llama_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model's file for llama.cpp; ``llama_server.py`` says what it knows."""
    model = tmp_path_factory.mktemp("llama-model") / f"{llama_server.NAME}.gguf"
    program: list[str | Path] = [install.python("llama-cpp"), HERE / "llama_server.py", "write", model]
    subprocess.run(program, env=environment(model.parent), check=True, timeout=120)
    return model


@contextmanager
def llama_serving(model: str | Path, folder: Path, *, loaded: bool = True) -> Iterator[str]:
    """The address of a llama.cpp server that takes KEYS and no other; not ``loaded``: as soon as it answers, if only that it loads."""
    port = free_port()
    program: list[str | Path] = [install.python("llama-cpp"), HERE / "llama_server.py", "serve", model, str(port)]
    address = f"http://127.0.0.1:{port}"
    with running([*program, *KEYS], f"{address}/health", folder, environment(folder), well=loaded):
        yield address


@pytest.fixture(scope="session")
def llama(llama_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a llama.cpp server with its model. It takes KEYS and no other."""
    with llama_serving(llama_model, tmp_path_factory.mktemp("llama")) as address:
        yield address
