"""What a provider's answer, or its silence, says about a profile: which part is wrong, why, and what to do. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from rooroute.outcome import Failure, Fault
from rooroute.providers.authentication import USUAL_SLOT
from rooroute.providers.dialect import ErrorAnswer, Target
from rooroute.providers.key_form import slip
from rooroute.providers.retry_after import instant, number
from rooroute.providers.table import dialect_for, own_base_url
from rooroute.providers.vendor import Vendor
from rooroute.secret import origin_of
from rooroute.unanswered import duration_words

SKEW: Final = 60.0
"""Seconds by which a clock may differ before it is called wrong."""

_SHOWN_MODELS: Final = 5
_OK: Final = 200
_CLIENT_ERRORS: Final = range(400, 500)
_REDIRECTS: Final = range(300, 400)
_NO_SUCH_PATH: Final = frozenset({404, 405, 410})
_PROXY_AUTHENTICATION: Final = 407
_SIGN_IN_FIRST: Final = 511  # https://www.rfc-editor.org/rfc/rfc6585#section-6
_ADDRESS: Final = "Check the profile's baseUrl, its path too: most end in /v1, Gemini's in /v1beta."
_AROUND_PROXY: Final = "Mend the proxy, set the profile's own proxy field, or name the host in NO_PROXY."
_SIGN_IN: Final = "Open a web page in a browser and sign in to this network, then test again."
_NTP: Final = "Let the system set its clock from the network (NTP)."


class Subject(StrEnum):
    """What is right or wrong."""

    ADDRESS = "address"
    PROXY = "proxy"
    KEY = "key"
    MODEL = "model"
    CLOCK = "clock"
    SERVICE = "service"  # the provider itself; nothing about the profile is wrong


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """``cause`` says what was seen, a sentence; ``remedy`` what to do, empty where nothing needs doing."""

    subject: Subject
    ok: bool
    cause: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """Who was asked, and through which proxy (its address without credentials)."""

    row: Vendor
    target: Target
    proxy: str | None = None

    @property
    def own_address(self) -> bool:
        """Whether the vendor's own servers were asked."""
        own = own_base_url(self.target.profile)
        return own is not None and origin_of(own) == origin_of(self.target.base_url)


def of_silence(asked: Asked, failure: Failure) -> Diagnosis:
    """No answer came, or none that can be read."""
    cause, _, remedy = failure.message.partition("; ")
    words = next((remedy for mark, remedy in _CERTIFICATES.items() if mark in cause), capital(remedy))
    if asked.proxy is not None:
        way = f"{ended(cause)} The way leads through the proxy {asked.proxy}."
        return Diagnosis(Subject.PROXY, False, way, _AROUND_PROXY)
    if failure.fault is Fault.BAD_ANSWER:
        return Diagnosis(Subject.ADDRESS, False, ended(cause), _ADDRESS)
    return Diagnosis(Subject.ADDRESS, False, ended(cause), words or _ADDRESS)


_CERTIFICATES: Final[Mapping[str, str]] = {
    "not yet valid": f"This machine's clock is behind, or the server's certificate is wrong. {_NTP}",
    "has expired": f"This machine's clock is ahead, or the server's certificate is too old. {_NTP}",
    "ostname mismatch": "Another server answers in its place: sign in to this network, or check the base URL's host.",
    "No TLS connection": "If the server speaks plain http, write http:// in the base URL; else update whichever side is old.",
    "self-signed": "If your network inspects TLS, add its certificate to the system's trust store.",
    "self signed": "If your network inspects TLS, add its certificate to the system's trust store.",
    "unable to get local issuer": "If your network inspects TLS, add its certificate to the system's trust store.",
}


def skew_of(headers: Mapping[str, str], now: float) -> float | None:
    """The server's clock minus ours, in seconds, by its Date header; None where it did not tell."""
    told = headers.get("date")
    when = instant(told) if told and number(told) is None else None
    return None if when is None else when - now


def of_clock(skew: float | None) -> Diagnosis | None:
    """A clock that is wrong; None for one that is right or cannot be judged."""
    if skew is None or abs(skew) <= SKEW:
        return None
    cause = (
        f"This machine's clock is {duration_words(abs(skew))} {'behind' if skew > 0 else 'ahead of'} the provider's."
    )
    return Diagnosis(Subject.CLOCK, False, cause, _NTP)


def of_answer(asked: Asked, answer: ErrorAnswer, now: float) -> Diagnosis:
    """What the answer to a request for the models says before its body is read as a list. ``now`` is UTC epoch seconds."""
    in_between = _of_somebody_else(asked, answer)
    if in_between is not None:
        return in_between
    if answer.status in _NO_SUCH_PATH:
        cause = f"{asked.target.base_url} knows no list of models (HTTP {answer.status})."
        return Diagnosis(Subject.ADDRESS, False, cause, _ADDRESS)
    if answer.status != _OK:
        return of_failure(
            asked,
            dialect_for(asked.target.profile, asked.target.model).classify(answer, now),
            skew_of(answer.headers, now),
        )
    way = f" through the proxy {asked.proxy}" if asked.proxy else ""
    proved = asked.row.models is None or asked.row.models.proves_key
    rest = " and takes the key" if proved else "; it shows its models to anybody, so the key is not proved yet"
    return Diagnosis(Subject.ADDRESS, True, f"{asked.target.base_url} answers{way}{rest}.")


def _of_somebody_else(asked: Asked, answer: ErrorAnswer) -> Diagnosis | None:
    """A proxy, a network's sign-in page or another web server that answered in the provider's place."""
    base, host = asked.target.base_url, urlsplit(asked.target.base_url).netloc
    page = answer.headers.get("content-type", "").lower().startswith("text/html")
    if answer.status == _SIGN_IN_FIRST:
        return Diagnosis(Subject.ADDRESS, False, "This network wants you to sign in first (HTTP 511).", _SIGN_IN)
    if asked.proxy is not None and (page or answer.status == _PROXY_AUTHENTICATION):
        cause = f"The proxy {asked.proxy} answered in place of {host} (HTTP {answer.status})."
        return Diagnosis(Subject.PROXY, False, cause, _AROUND_PROXY)
    if answer.status in _REDIRECTS:
        return _of_redirect(base, answer)
    if page and answer.status not in _CLIENT_ERRORS:
        cause = f"{base} answers with a web page: it is no API, or a network's sign-in page is in the way."
        return Diagnosis(Subject.ADDRESS, False, cause, f"{_ADDRESS} Or: {_SIGN_IN[0].lower()}{_SIGN_IN[1:]}")
    return None


def _of_redirect(base: str, answer: ErrorAnswer) -> Diagnosis:
    """A redirect is not followed: the key would go along. Its query stays untold."""
    try:
        parts = urlsplit(answer.headers.get("location", ""))
        elsewhere = parts.hostname is not None and parts.hostname != urlsplit(base).hostname
    except ValueError:
        return Diagnosis(Subject.ADDRESS, False, f"{base} sends elsewhere (HTTP {answer.status}).", _ADDRESS)
    to = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" if parts.netloc else parts.path
    shown = "".join(c for c in to if c.isprintable())[:200] or "somewhere else"
    cause = f"{base} sends to {shown} (HTTP {answer.status}); that is not followed, since the key would go along."
    remedy = f"If that is your provider, make it the baseUrl. Otherwise: {_SIGN_IN[0].lower()}{_SIGN_IN[1:]}"
    return Diagnosis(Subject.ADDRESS, False, cause, remedy if elsewhere else "Make that address the baseUrl.")


def of_failure(asked: Asked, failure: Failure, skew: float | None = None) -> Diagnosis:
    """What a classified failure says about the profile. ``skew`` as ``skew_of`` gives it."""
    subject, remedy = _REMEDIES[failure.fault]
    words = f"{asked.row.name} answered: {ended(failure.message)}"
    if failure.fault in _NO_WORD_OF_THEIRS:
        words = ended(failure.message.partition("; ")[0])
    if failure.fault is Fault.CREDENTIAL:
        return _of_credential(asked, Diagnosis(subject, False, words, _new_key(asked)), skew)
    page = asked.row.key.page
    if failure.hint is not None and subject is Subject.SERVICE:
        remedy = f"Wait {duration_words(failure.hint)}. {remedy}"
    if failure.fault in (Fault.BILLING, Fault.PERMISSION) and page:
        remedy = f"{remedy} The account's page is {page}."
    status_page = asked.row.status_page
    if failure.fault in _THEIR_TROUBLE and status_page:
        remedy = f"{remedy} Its state is shown at {status_page}."
    return Diagnosis(subject, False, words, remedy)


_NO_WORD_OF_THEIRS: Final = frozenset({Fault.NETWORK, Fault.TIMEOUT, Fault.BAD_ANSWER, Fault.CANCELLED})
_THEIR_TROUBLE: Final = frozenset({Fault.OVERLOAD, Fault.TRANSIENT, Fault.TIMEOUT})
_REMEDIES: Final[Mapping[Fault, tuple[Subject, str]]] = {
    Fault.RATE_LIMIT: (Subject.SERVICE, "The key is known there, but is asked too often just now."),
    Fault.QUOTA: (Subject.SERVICE, "The key is known there, but its quota is used up."),
    Fault.OVERLOAD: (Subject.SERVICE, "The trouble is the provider's own; try again later."),
    Fault.TRANSIENT: (Subject.SERVICE, "The trouble is the provider's own; try again."),
    Fault.TIMEOUT: (Subject.SERVICE, "Try again, or raise the profile's timeouts."),
    Fault.NETWORK: (Subject.ADDRESS, _ADDRESS),
    Fault.CREDENTIAL: (Subject.KEY, "Enter a valid key."),
    Fault.PERMISSION: (Subject.KEY, "Give this key the right to do that, or enter another key."),
    Fault.MODEL: (Subject.MODEL, "Choose a model that this account has; with a deployment, deploy it first."),
    Fault.BILLING: (Subject.KEY, "Add credit to the account, or enter the key of another one."),
    Fault.CONFIG: (Subject.ADDRESS, _ADDRESS),
    Fault.BAD_ANSWER: (Subject.ADDRESS, _ADDRESS),
    Fault.CONTEXT: (Subject.MODEL, "Choose a model with a larger window."),
    Fault.POLICY: (Subject.MODEL, "Choose another model."),
    Fault.REQUEST: (Subject.MODEL, "Check the profile's model, options and headers."),
    Fault.CANCELLED: (Subject.SERVICE, "Test again."),
    Fault.LOCAL_LIMIT: (Subject.SERVICE, "Raise the limit that you set, or wait."),
}


def _of_credential(asked: Asked, found: Diagnosis, skew: float | None) -> Diagnosis:
    clock = of_clock(skew)
    oddity = odd_key(asked)
    if oddity is not None:
        found = replace(found, cause=f"{found.cause} {oddity}")
    if clock is not None:
        found = replace(found, cause=f"{found.cause} {clock.cause}", remedy=f"{clock.remedy} {found.remedy}")
    return found


def odd_key(asked: Asked) -> str | None:
    """What is odd about the form of the key that was sent, in a sentence without it."""
    profile = asked.target.profile
    secret = asked.target.secrets.get(USUAL_SLOT)
    if secret is None:
        return "No key was sent."
    vendors_way = asked.own_address and profile.auth is None
    return slip(secret.reveal(secret.origin), asked.row.id, own_address=vendors_way)


def _new_key(asked: Asked) -> str:
    page = f" Keys are made at {asked.row.key.page}." if asked.row.key.page else ""
    return f"Enter a valid key.{page}"


def not_a_list(asked: Asked) -> Diagnosis:
    """A 200 whose body is no list of models."""
    cause = f"{asked.target.base_url} answers, but not as {asked.row.name} does."
    return Diagnosis(Subject.ADDRESS, False, cause, _ADDRESS)


def unlisted(row: Vendor, model: str, listed: Iterable[str]) -> Diagnosis | None:
    """A model that a server of ``row`` does not list; None when it does, or when its list
    says nothing of that: an empty one, or one that is never whole."""
    ids = list(listed)
    if not ids or model in ids or (row.models is not None and not row.models.complete):
        return None
    close = get_close_matches(model, ids, _SHOWN_MODELS, 0.0)
    cause = f"{row.name} does not list the model {model} for this key."
    return Diagnosis(Subject.MODEL, False, cause, f"Try {_either(close)}.")


def no_model(listed: Sequence[str]) -> Diagnosis:
    """A profile that names no model: requests must."""
    some = f" Such as {_either(listed[:_SHOWN_MODELS])}." if listed else ""
    return Diagnosis(Subject.MODEL, False, "The profile names no model.", f"Choose one.{some}")


def of_refusal(subject: Subject, sentence: str) -> Diagnosis:
    """This project's sentences say what happened, then what to do, with a semicolon between."""
    cause, _, remedy = sentence.partition("; ")
    return Diagnosis(subject, False, ended(cause), capital(remedy))


def other_addresses(asked: Asked) -> list[str]:
    """Base URLs on the same host that may be meant: without the path of a method, with the version that is usual."""
    base = asked.target.base_url
    usual = urlsplit(asked.row.default_base_url or "").path or "/v1"
    root = "://".join(urlsplit(base)[:2])
    bare = next((base.removesuffix(ending) for ending in _METHODS if base.endswith(ending)), base).rstrip("/")
    unversioned = re.sub(r"/v\d+(?:beta)?$", "", bare)
    nearby = (bare, f"{unversioned}{usual}", unversioned, f"{root}{usual}", f"{root}/api/v1")
    return [url for url in dict.fromkeys(nearby) if url != base]


_METHODS: Final = ("/chat/completions", "/completions", "/responses", "/messages", "/models", "/model/info")


# --- words ------------------------------------------------------------------------------------------------------------------------


def ended(text: str) -> str:
    """``text`` as a sentence."""
    return text if text.endswith((".", "!", "?")) else f"{text}."


def capital(text: str) -> str:
    """``text`` with a capital letter in front."""
    return text[:1].upper() + text[1:]


def _either(names: Sequence[str]) -> str:
    return " or ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else "".join(names)
