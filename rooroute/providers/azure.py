"""Azure OpenAI: chat completions by deployment, https://learn.microsoft.com/azure/ai-foundry/openai/reference.

Two addresses are known. ``https://RESOURCE.openai.azure.com`` takes the deployment in the path and a dated api-version; the newer
``…/openai/v1`` takes the deployment as the model and no version (https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from rooroute.chat import ChatRequest
from rooroute.outcome import Fault, Scope
from rooroute.profiles import Profile
from rooroute.providers.authentication import KeyPlace
from rooroute.providers.dialect import Target
from rooroute.providers.envelope import address, segment
from rooroute.providers.failures import Evidence, Row, pattern, statuses
from rooroute.providers.openai import OPENAI_RANGES, ChatCompletions

AZURE_KEY: Final = KeyPlace("api-key", "")
_VERSION: Final = re.compile(r"20\d\d-\d\d-\d\d(?:-preview)?|preview|latest")
_WITHOUT_HINT: Final = 10.0


def _unversioned(base_url: str) -> bool:
    return base_url.rstrip("/").endswith("/openai/v1")


def deployment_of(profile: Profile, model: str) -> str:
    """The deployment that serves ``model``: what ``options.deployments`` maps it to, else the model's own name."""
    named = profile.options.get("deployments")
    found = named.get(model) if isinstance(named, Mapping) else None
    return found if isinstance(found, str) and found else model


def version_rule(profile: Profile) -> tuple[str, str, str] | None:
    """Without a version the older address answers 404, which says nothing."""
    version = profile.options.get("apiVersion")
    if _unversioned(profile.base_url or ""):
        return None
    if version is None or version == "":
        return (
            "options.apiVersion",
            "Azure OpenAI needs an API version.",
            "Set options.apiVersion, for example to 2024-10-21.",
        )
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        return "options.apiVersion", "This is no API version.", "Write it as 2024-10-21 or 2025-04-01-preview."
    return None


def deployments_rule(profile: Profile) -> tuple[str, str, str] | None:
    """Every deployment is a name, and the profile's own model has one."""
    named = profile.options.get("deployments")
    if not isinstance(named, Mapping) or not named:
        return None
    if any(not isinstance(each, str) or not each for each in named.values()):
        return "options.deployments", "A deployment is no name.", "Write each as model: deployment."
    if profile.model and profile.model not in named and profile.model not in named.values():
        return (
            "options.deployments",
            f"No deployment is named for the model {profile.model}.",
            f"Add {profile.model} to options.deployments.",
        )
    return None


@dataclass(frozen=True, slots=True)
class AzureChatCompletions(ChatCompletions):
    """Chat completions whose model is a deployment."""

    def url(self, target: Target) -> str:
        """With the deployment in the path, or below ``/openai/v1`` without."""
        if _unversioned(target.base_url):
            return address(target, "/chat/completions")
        base = replace(target, base_url=target.base_url.removesuffix("/openai"))
        path = f"/openai/deployments/{segment(deployment_of(target.profile, target.model))}/chat/completions"
        return address(base, path, {"api-version": str(target.profile.options.get("apiVersion") or "")})

    def document(self, target: Target, request: ChatRequest) -> dict[str, Any]:
        """The body; its model is the deployment."""
        named = replace(target, model=deployment_of(target.profile, target.model))
        return ChatCompletions.document(self, named, request)


def _hint(evidence: Evidence) -> float:
    """The provider's time in milliseconds, seconds or words. Azure's reset headers may say -1 or 0 and mean nothing:
    https://github.com/openai/openai-dotnet/issues/838"""
    return evidence.hint or _WITHOUT_HINT


AZURE_ROWS: Final = (
    Row(
        Fault.OVERLOAD,
        status=statuses(429, 503),
        text=pattern(r"high demand|temporarily unable|exceeded .{0,40}capacity|system is currently experiencing"),
        scope=Scope.ENDPOINT,
        per_model=True,
    ),
    Row(
        Fault.RATE_LIMIT,
        status=statuses(429),
        if_=lambda evidence: evidence.codes.isdisjoint({"insufficient_quota"}),
        scope=Scope.DOMAIN,
        per_model=True,
        hint=_hint,
    ),
    # An Entra identity without the role "Cognitive Services OpenAI User".
    Row(Fault.PERMISSION, status=statuses(401, 403), codes=frozenset({"permissiondenied", "authorizationfailed"})),
    # https://github.com/Azure-Samples/azure-sql-db-chatbot/issues/3, https://github.com/continuedev/continue/issues/12547
    Row(
        Fault.PERMISSION,
        status=statuses(403),
        text=pattern(r"virtual network|firewall rules|public access is disabled|resource is (?:blocked|disabled)"),
        scope=Scope.ENDPOINT,
    ),
    Row(
        Fault.CONFIG,
        status=statuses(400, 404),
        text=pattern(r"api[- ]version.{0,80}(?:not supported|unsupported|invalid|missing)"),
    ),
    Row(Fault.MODEL, codes=frozenset({"operationnotsupported"}), per_model=True),
)
AZURE_OPENAI: Final = AzureChatCompletions(
    key=AZURE_KEY, max_tokens="max_completion_tokens", rows=AZURE_ROWS, ranges=OPENAI_RANGES
)
