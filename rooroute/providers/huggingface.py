"""Hugging Face's router: chat completions at many inference providers, https://huggingface.co/docs/inference-providers."""

from __future__ import annotations

from typing import Final

from rooroute.outcome import Fault, Scope
from rooroute.providers import retry_after
from rooroute.providers.failures import Evidence, Row, pattern, statuses
from rooroute.providers.openai import ChatCompletions
from rooroute.providers.ranges import Range
from rooroute.providers.rests import until_next_month


def _loading(evidence: Evidence) -> float | None:
    """A model that is still loading says how long."""
    told = (found["estimated_time"] for found in evidence.objects if "estimated_time" in found)
    seconds = retry_after.number(next(told, None))
    return evidence.hint or retry_after.sensible(seconds)


HUGGING_FACE_ROWS: Final = (
    # Included credits come anew with the month, taken to be the calendar's: https://github.com/huggingface/agents-course/issues/386
    Row(
        Fault.QUOTA,
        status=statuses(402),
        text=pattern(r"exceeded your monthly included credits"),
        scope=Scope.DOMAIN,
        hint=until_next_month,
    ),
    Row(Fault.MODEL, codes=frozenset({"model_not_supported"}), per_model=True),
    Row(
        Fault.OVERLOAD,
        status=statuses(503),
        text=pattern(r"currently loading"),
        scope=Scope.ENDPOINT,
        per_model=True,
        hint=_loading,
    ),
    # A token without the permission "Make calls to Inference Providers".
    Row(Fault.PERMISSION, status=statuses(403), text=pattern(r"sufficient permissions")),
)
HUGGING_FACE: Final = ChatCompletions(
    rows=HUGGING_FACE_ROWS, ranges=(Range("temperature", 0, 2), Range("top_p", 0.001, 1))
)
