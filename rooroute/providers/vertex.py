"""Vertex AI: Gemini's and Anthropic's models below a Google Cloud project and location, with a short-lived Google token.

https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference,
https://cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/use-claude
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Final

from rooroute.chat import ChatRequest, Message
from rooroute.outcome import Fault, Scope
from rooroute.profiles import Profile
from rooroute.providers import gemini_errors
from rooroute.providers.anthropic import AnthropicDialect
from rooroute.providers.authentication import BEARER
from rooroute.providers.dialect import HttpRequest, Target
from rooroute.providers.envelope import address, segment
from rooroute.providers.failures import Evidence, Row, pattern, statuses
from rooroute.providers.gemini import GeminiDialect
from rooroute.providers.gemini_request import OWN_ID

GLOBAL: Final = "global"
CLAUDE: Final = re.compile(r"(?:^|/)claude")
_MULTI_REGIONS: Final = frozenset({"us", "eu"})
_LOCATION: Final = re.compile(r"[a-z]{2,}(?:-[a-z]+[0-9]{1,2})?")
_PROJECT: Final = re.compile(r"(?:[a-z0-9.-]{1,100}:)?[a-z0-9][a-z0-9-]{0,61}")
_ANTHROPIC_VERSION: Final = "vertex-2023-10-16"
_THROUGHPUT: Final = 10.0


def location_of(profile: Profile) -> str:
    """Where the models are asked; ``global``, which has the most room, where the profile does not say."""
    return str(profile.options.get("location") or GLOBAL)


def base_url(profile: Profile) -> str | None:
    """The address of the profile's location; None for one that could lead elsewhere."""
    location = location_of(profile)
    if not _LOCATION.fullmatch(location):
        return None
    if location == GLOBAL:
        host = "aiplatform.googleapis.com"
    elif location in _MULTI_REGIONS:
        host = f"aiplatform.{location}.rep.googleapis.com"
    else:
        host = f"{location}-aiplatform.googleapis.com"
    return f"https://{host}/v1"


def location_rule(profile: Profile) -> tuple[str, str, str] | None:
    """A location is part of a host's name."""
    if _LOCATION.fullmatch(location_of(profile)):
        return None
    return "options.location", "This is no location of Google Cloud.", "Write it as global, us, eu or europe-west1."


def project_rule(profile: Profile) -> tuple[str, str, str] | None:
    """A project is asked for by its id or number, not by its name."""
    project = profile.options.get("project")
    if project is None or (isinstance(project, str) and _PROJECT.fullmatch(project)):
        return None
    return (
        "options.project",
        "This is no id of a Google Cloud project.",
        "Use the id, such as my-project-123456, not the name.",
    )


def _path(target: Target, publisher: str, method: str) -> str:
    project = segment(str(target.profile.options.get("project") or ""))
    model = target.model.rpartition("/")[2]
    place = f"/projects/{project}/locations/{location_of(target.profile)}"
    return f"{place}/publishers/{publisher}/models/{segment(model)}:{method}"


def _throughput(evidence: Evidence) -> float:
    return evidence.hint or _THROUGHPUT


VERTEX_ROWS: Final = (
    # https://cloud.google.com/vertex-ai/generative-ai/docs/provisioned-throughput/error-code-429
    Row(
        Fault.RATE_LIMIT,
        status=statuses(429),
        text=pattern(r"provisioned throughput"),
        scope=Scope.DOMAIN,
        per_model=True,
        hint=_throughput,
    ),
    # https://github.com/anthropics/claude-code/issues/1440
    Row(
        Fault.RATE_LIMIT,
        status=statuses(429),
        text=pattern(r"quota exceeded for aiplatform"),
        scope=Scope.DOMAIN,
        per_model=True,
    ),
    # Shared capacity of the location: https://github.com/googleapis/python-genai/issues/2001
    Row(
        Fault.OVERLOAD,
        status=statuses(429),
        text=pattern(r"resource (?:has been )?exhausted.{0,20}(?:try again later|check quota)"),
        scope=Scope.ENDPOINT,
        per_model=True,
    ),
    Row(
        Fault.CREDENTIAL,
        codes=frozenset({"access_token_expired", "access_token_type_unsupported", "credentials_missing"}),
        confirm=True,
    ),
    Row(
        Fault.MODEL,
        status=statuses(400, 404),
        text=pattern(r"publisher model .{0,300}(?:not found|does not have access|not servable)"),
        per_model=True,
    ),
)


def _unnumbered(message: Message) -> Message:
    """The message with ids that are our own, which are never sent."""
    calls = tuple(replace(call, id=OWN_ID + call.id) for call in message.tool_calls)
    answers = None if message.tool_call_id is None else OWN_ID + message.tool_call_id
    return replace(message, tool_calls=calls, tool_call_id=answers)


@dataclass(frozen=True, slots=True)
class VertexGemini(GeminiDialect):
    """Gemini's models. A thought signature may be another one than the Gemini API's, hence the name of its own."""

    def build(self, target: Target, request: ChatRequest) -> HttpRequest:
        """The streaming request, without the ids of calls: 'Unknown name "id" at function_call: Cannot find field'
        (https://github.com/pydantic/pydantic-ai/issues/5081)."""
        unnumbered = tuple(_unnumbered(message) for message in request.messages)
        return GeminiDialect.build(self, target, replace(request, messages=unnumbered))

    def url(self, target: Target) -> str:
        """Below project and location."""
        return address(target, _path(target, "google", "streamGenerateContent"), {"alt": "sse"})


@dataclass(frozen=True, slots=True)
class VertexAnthropic(AnthropicDialect):
    """Anthropic's models: the version in the body, the model in the path. Signatures are Anthropic's own everywhere
    (https://platform.claude.com/docs/en/build-with-claude/extended-thinking)."""

    def document(self, target: Target, request: ChatRequest) -> dict[str, Any]:
        """The body without its model."""
        document = AnthropicDialect.document(self, target, request)
        del document["model"]
        return {"anthropic_version": _ANTHROPIC_VERSION, **document}

    def url(self, target: Target) -> str:
        """Below project and location."""
        return address(target, _path(target, "anthropic", "streamRawPredict"))

    def headers(self) -> dict[str, str]:
        """Nothing: the version is in the body."""
        return {}


VERTEX_GEMINI: Final = VertexGemini(name="vertex-gemini", key=BEARER, rows=VERTEX_ROWS)
VERTEX_ANTHROPIC: Final = VertexAnthropic(key=BEARER, rows=(*VERTEX_ROWS, *gemini_errors.ROWS))
