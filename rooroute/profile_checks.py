"""What is wrong with what the user decided, whoever the vendor is: each finding with its field and remedy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from itertools import chain
from typing import Final

from rooroute.names import wrong_with, wrong_with_id
from rooroute.profiles import (
    CHECKED_PATH,
    Alerts,
    Budget,
    Ceiling,
    CheckKind,
    Defaults,
    HealthCheck,
    Limits,
    Pool,
    Price,
    Problem,
    Profile,
    camel,
    reference_name,
)
from rooroute.proxies import parse_proxy
from rooroute.secret import origin_of

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_LONGEST: Final = 35 * 86400.0  # seconds
TYPE_ANEW: Final = "Type it anew."
_IN_RANGE: Final = "Choose a number of seconds in that range."


def check_secret(text: str) -> str | None:
    """Why a typed key cannot be one (a sentence with the remedy), or None. White space around it is the caller's to strip."""
    if not text:
        return "The key is empty; paste it again."
    if len(text) > 100_000:
        return "The key is longer than 100,000 characters; paste the key alone."
    if any(c in text for c in "\r\n") and not text.lstrip().startswith(("{", "-----")):
        return "The key holds a line break; paste it again as one line."
    if _CONTROL.search(text):
        return "The key holds a control character; paste it again from the provider's page."
    if not text.isascii():
        return "The key holds a character that no HTTP header can carry; paste it again from the provider's page."
    return None


def check_base_url(url: str) -> str | None:
    """Why this cannot be a base URL (a sentence with the remedy), or None. Approval of plain http is not judged here."""
    try:
        origin_of(url)
    except ValueError as wrong:
        return f"The base URL cannot be used: {wrong}."
    if "?" in url or "#" in url:
        return "The base URL holds a query or a fragment; put query parameters into the query field."
    return None


def _check_proxy(text: str | None) -> Iterator[tuple[str, str, str]]:
    try:
        if text:
            parse_proxy(text)
    except ValueError as wrong:
        yield "proxy", f"The proxy cannot be used: {wrong}.", "Write it as http://host:port, or leave it out."


def check_profile(profile: Profile) -> list[Problem]:
    """What is wrong with a profile whatever its vendor; the vendor's own rules are in ``providers.table``."""
    found: list[Problem] = []

    def wrong(field_name: str, message: str, remedy: str) -> None:
        found.append(Problem(message, field=field_name, remedy=remedy, profile_id=profile.id))

    if (told := wrong_with_id(profile.id)) is not None:
        wrong("id", f"The profile's id {told}.", "Choose another id.")
    if profile.base_url is not None and (why := check_base_url(profile.base_url)):
        wrong("baseUrl", why, "Write it as https://host/path.")
    for slot, text in {"apiKey": profile.api_key, **{f"secrets.{k}": v for k, v in profile.secrets.items()}}.items():
        if text is not None and reference_name(text) is None:
            wrong(
                slot,
                "A key is not written into the configuration.",
                "Save it with the profile, or refer to it as ${NAME}.",
            )
    for name, value in profile.headers.items():
        if (
            not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name)
            or any(c in value for c in "\r\n\0")
            or not value.isascii()
        ):
            wrong(f"headers.{name}", "This header cannot be sent.", "Use an ASCII name and a one-line ASCII value.")
    if profile.cooldown is not None and not 0 <= profile.cooldown <= _LONGEST:
        wrong("cooldown", "A cooldown is 0 to 3,024,000 seconds (35 days).", _IN_RANGE)
    checks = _check_words(profile), _check_sizes(profile), _check_spending(profile), _check_health(profile.health_check)
    for finding in chain(_check_proxy(profile.proxy), *checks):
        wrong(*finding)
    return found


def _check_words(profile: Profile) -> Iterator[tuple[str, str, str]]:
    """Names that go into a URL, a request or a terminal's line."""
    if profile.model is not None and not profile.model.isprintable():
        yield "model", "model holds a line break or another control character.", "Write it as one plain line."
    for where, text in (("name", profile.name), ("domain", profile.domain), *(("tags", each) for each in profile.tags)):
        if text is not None and (told := wrong_with(text)) is not None:
            yield where, f"{'A tag' if where == 'tags' else where} {told}.", TYPE_ANEW


def _check_sizes(profile: Profile) -> Iterator[tuple[str, str, str]]:
    for each in fields(profile.timeouts):
        if not 0 < getattr(profile.timeouts, each.name) <= _LONGEST:
            name = f"timeouts.{camel(each.name)}"
            yield name, f"{name} is more than 0 and at most 3,024,000 seconds (35 days).", _IN_RANGE
    if profile.context_window is not None and profile.context_window < 1:
        yield "contextWindow", "contextWindow is at least 1 token.", "Choose a larger number, or leave it out."


def check_amounts(
    where: str, amounts: Limits | Budget | Ceiling | None, whose: str | None = None
) -> Iterator[tuple[str, str, str]]:
    """Limits that let nothing pass: field, sentence, remedy. ``whose`` they are is what can be switched off instead."""
    remedy = "Leave it out for no limit" + (f"; switch the {whose} off for none." if whose else ".")
    for each in fields(amounts) if amounts is not None else ():
        value = getattr(amounts, each.name)
        name = f"{where}.{camel(each.name)}"
        if value is not None and not 0 < value < float("inf"):
            yield name, f"{name} of {value:g} lets nothing pass.", remedy


def check_burst(limits: Limits | None) -> Iterator[tuple[str, str, str]]:
    """A burst that limits nothing: field, sentence, remedy."""
    if limits is not None and limits.burst is not None and limits.requests_per_second is None:
        told = "limits.burst does nothing without limits.requestsPerSecond, whose bursts it limits."
        yield "limits.burst", told, "Set limits.requestsPerSecond besides, or leave limits.burst out."


def pointless(profile: Profile) -> list[Problem]:
    """What of a profile does nothing: refused at save, and told of a file, whose profile is asked all the same."""
    return [
        Problem(f"{profile.title}: {sentence}", field=field, remedy=remedy, profile_id=profile.id)
        for field, sentence, remedy in check_burst(profile.limits)
    ]


def _check_price(price: Price | None) -> Iterator[tuple[str, str, str]]:
    for each in fields(price) if price is not None else ():
        value, name = getattr(price, each.name), f"price.{camel(each.name)}"
        if value is None or value == 0:
            continue
        if not 0 < value <= 100_000:
            yield name, f"{name} is no price in USD per million tokens.", "Use a number from 0 to 100,000."
        elif value < 0.0005:
            yield name, f"{name} of {value:g} looks like a price per token.", "Prices are USD per million tokens."


def _check_spending(profile: Profile) -> Iterator[tuple[str, str, str]]:
    yield from check_amounts("limits", profile.limits, "profile")
    yield from check_amounts("budget", profile.budget, "profile")
    yield from _check_price(profile.price)
    if profile.max_retries is not None and not 0 <= profile.max_retries <= 100:
        yield "maxRetries", "maxRetries is 0 to 100.", "Choose a number in that range."


def check_budget(profile: Profile) -> list[Problem]:
    """What is wrong with a budget where the profile has no price, typed or known."""
    if profile.budget is None or profile.price is not None:
        return []
    return [
        Problem(
            f"{profile.title} has a budget in money, which needs its price, and none is known.",
            field="budget",
            remedy="Add its price in USD per million tokens.",
            profile_id=profile.id,
        )
    ]


def _check_health(check: HealthCheck) -> Iterator[tuple[str, str, str]]:
    ranges = (("interval", 1.0, 86_400.0), ("timeout", 0.1, 600.0), ("failures", 1, 100))
    for name, least, most in ranges:
        if not least <= getattr(check, name) <= most:
            bounds = f"{least:g} to {most:,g}{'' if name == 'failures' else ' seconds'}"
            yield f"healthCheck.{name}", f"healthCheck.{name} is {bounds}.", "Choose a number in that range."
    if any(not 100 <= code <= 599 for code in check.expect_status):
        yield "healthCheck.expectStatus", "A status to expect is no HTTP status.", "Use numbers from 100 to 599."
    if check.endpoint is not None and not CHECKED_PATH.fullmatch(check.endpoint):
        told = "The endpoint of a health check is a path on the profile's own host."
        yield "healthCheck.endpoint", told, "Write it as /v1/models, or as models for one below the base URL."
    if check.sends is CheckKind.COMPLETION and (check.endpoint or check.expect_status or check.expect_body):
        told = "A health check that gets an answer has no endpoint, status or body of its own."
        yield "healthCheck.sends", told, "Leave them out, or let it send list."


def _check_alerts(alerts: Alerts) -> Iterator[tuple[str, str, str]]:
    ranges: dict[str, tuple[float | None, float, float]] = {
        "window": (alerts.window, 60, 604_800),
        "attempts": (alerts.attempts, 1, 10_000),
        "errorRate": (alerts.error_rate, 0, 1),
        "firstToken": (alerts.first_token, 0.01, 3_600),
    }
    for name, (value, least, most) in ranges.items():
        if value is not None and not least <= value <= most:
            yield f"alerts.{name}", f"alerts.{name} is {least:g} to {most:,g}.", "Choose a number in that range."


def check_defaults(defaults: Defaults) -> list[Problem]:
    """What is wrong with the defaults on their own."""
    found = [each for tag, budget in defaults.budgets.items() for each in check_amounts(f"budgets.{tag}", budget)]
    found += [("budgets", f"a tag {told}.", TYPE_ANEW) for told in map(wrong_with, defaults.budgets) if told]
    for name, value in {"cooldown": defaults.cooldown, "maxWait": defaults.max_wait}.items():
        if value is not None and not 0 <= value <= _LONGEST:
            found.append((name, f"{name} is 0 to 3,024,000 seconds (35 days).", _IN_RANGE))
    if defaults.retries_per_minute < 0:
        found.append(("retriesPerMinute", "retriesPerMinute is less than 0.", "Use 0 for no retries at all."))
    if not 1 <= defaults.ledger_days <= 3_660:
        found.append(("ledgerDays", "ledgerDays is 1 to 3,660.", "Choose a number of days in that range."))
    if defaults.key_days is not None and not 1 <= defaults.key_days <= 3_660:
        found.append(("keyDays", "keyDays is 1 to 3,660.", "Choose a number of days in that range."))
    found += _check_alerts(defaults.alerts)
    return [Problem(f"defaults.{sentence}", field=field, remedy=remedy) for field, sentence, remedy in found]


def check_pool(pool: Pool) -> list[Problem]:
    """What is wrong with a pool on its own; whether its profiles exist is for whoever knows them."""
    found: list[Problem] = []

    def wrong(field_name: str, message: str, remedy: str) -> None:
        found.append(Problem(f"Pool {pool.id}: {message}", field=field_name, remedy=remedy))

    if (told := wrong_with_id(pool.id)) is not None:
        wrong("id", f"its id {told}.", "Choose another id.")
    if pool.name is not None and (told := wrong_with(pool.name)) is not None:
        wrong("name", f"its name {told}.", TYPE_ANEW)
    if not pool.profiles:
        wrong("profiles", "it holds no profile.", "Name at least one profile.")
    if len(set(pool.profiles)) < len(pool.profiles):
        wrong("profiles", "a profile is named twice.", "Name it once.")
    for name, value in {"cooldown": pool.cooldown, "maxWait": pool.max_wait, "maxElapsed": pool.max_elapsed}.items():
        if value is not None and not 0 <= value <= _LONGEST:
            wrong(name, f"{name} is 0 to 3,024,000 seconds (35 days).", _IN_RANGE)
    if pool.max_attempts is not None and pool.max_attempts < 1:
        wrong("maxAttempts", "maxAttempts is at least 1.", "Choose a larger number, or leave it out.")
    return found
