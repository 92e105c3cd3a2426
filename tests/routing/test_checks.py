"""A configuration that cannot mean what it says is refused with the field, the reason and a remedy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rooroute.profile_checks import check_budget, check_defaults, check_profile
from rooroute.profiles import (
    Budget,
    Ceiling,
    CircuitBreaker,
    Defaults,
    Failover,
    LastResort,
    Latency,
    Limits,
    Need,
    Pool,
    Price,
    Profile,
    Rule,
    Strategy,
    When,
)
from rooroute.routing.checks import check_prices, check_routing

PROFILES = {
    "A": Profile(id="A", provider="openai", region="us", supports_images=False),
    "B": Profile(id="B", provider="openai", region="eu", supports_images=False, price=Price(input=1, output=2)),
    "C": Profile(id="C", provider="openai", supports_tools=False, context_window=8_000),
}


def rule(
    name: str = "r",
    *profiles: str,
    only: bool = False,
    region: str | None = None,
    when_region: tuple[str, ...] = (),
    **when: Any,
) -> Rule:
    when |= {"region": when_region} if when_region else {}
    return Rule(name=name, when=When(**when), profiles=profiles or ("A",), only=only, region=region)


WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "weights-that-sum-to-nothing": ({"weights": {"A": 0.0, "B": 0.0}}, "weights", "sum to nothing"),
    "a-negative-weight": ({"weights": {"A": -1.0}}, "weights", "less than 0"),
    "a-weight-for-a-stranger": ({"weights": {"Z": 1.0}}, "weights", "not in the pool"),
    "shares-above-everything": ({"split": {"A": 60.0, "B": 50.0}}, "split", "more than 100"),
    "a-share-of-nothing": ({"split": {"A": 0.0}}, "split", "above 0"),
    "a-route-to-nobody": ({"model_routes": {"gpt-4": "Z"}}, "modelRoutes", "not in the pool"),
    "a-default-route-to-nobody": ({"default_route": "Z"}, "defaultRoute", "not in the pool"),
    "routes-without-a-route": ({"strategy": Strategy.MODEL}, "modelRoutes", "no routes"),
    "a-tier-of-strangers": ({"tiers": (("A",), ("Z",))}, "tiers", "not in the pool"),
    "twice-in-the-tiers": ({"tiers": (("A",), ("A",))}, "tiers", "two tiers"),
    "no-last-resort": ({"last_resort": LastResort(profile="Z")}, "lastResort.profile", "does not exist"),
    "a-rule-to-nobody": ({"rules": (rule("r", "Z"),)}, "rules.0.profiles", "does not exist"),
    "a-rule-without-a-lead": ({"rules": (Rule(name="r"),)}, "rules.0.profiles", "leads nowhere"),
    "a-rule-without-a-name": ({"rules": (rule(" "),)}, "rules.0.name", "no name"),
    "two-rules-of-one-name": ({"rules": (rule(mode=("a",)), rule(mode=("b",)))}, "rules.1.name", "another"),
    "lengths-that-cross": ({"rules": (rule(min_length=9, max_length=3),)}, "rules.0.when.minLength", "never fire"),
    "tokens-that-cross": ({"rules": (rule(min_tokens=9, max_tokens=3),)}, "rules.0.when.minTokens", "never fire"),
    "a-length-below-nothing": ({"rules": (rule(max_length=-1),)}, "rules.0.when.maxLength", "never fire"),
    "no-expression": ({"rules": (rule(pattern="("),)}, "rules.0.when.pattern", "no regular expression"),
    "after-a-rule-for-everything": (
        {"rules": (rule("all"), rule("r", mode=("x",)))},
        "rules.1.when",
        "meets all first",
    ),
    "after-a-wider-rule": (
        {"rules": (rule("wide", mode=("x", "y")), rule("r", mode=("x",), tags=("t",)))},
        "rules.1.when",
        "meets wide first",
    ),
    "after-a-shorter-length": (
        {"rules": (rule("wide", min_length=5), rule("r", min_length=9))},
        "rules.1.when",
        "meets wide first",
    ),
    "a-region-nobody-is-in": ({"rules": (rule(region="asia"),)}, "rules.0.profiles", "in the region"),
    "images-nobody-takes": ({"rules": (rule(needs=(Need.IMAGES,)),)}, "rules.0.profiles", "takes images"),
    "a-limit-of-zero": ({"limits": Limits(requests_per_minute=0)}, "limits.requestsPerMinute", "lets nothing pass"),
    "a-negative-limit": ({"limits": Limits(concurrent_requests=-1)}, "limits.concurrentRequests", "lets nothing pass"),
    "a-budget-of-zero": ({"budget": Budget(per_day=0)}, "budget.perDay", "lets nothing pass"),
    "a-ceiling-of-zero": ({"max_price": Ceiling(input=0)}, "maxPrice.input", "lets nothing pass"),
    "no-percentile": ({"latency": Latency(percentile=0)}, "latency.percentile", "1 to 100"),
    "no-window": ({"latency": Latency(window=0)}, "latency.window", "1 to"),
    "a-threshold-of-zero": (
        {"circuit_breaker": CircuitBreaker(failure_threshold=0)},
        "circuitBreaker.failureThreshold",
        "1 to",
    ),
    "no-status": ({"failover": Failover(retry_codes=(42,))}, "failover.retryCodes", "no HTTP status"),
    "a-success": ({"failover": Failover(retry_codes=(429, 200))}, "failover.retryCodes", "no HTTP status of a failure"),
    "negative-retries": ({"failover": Failover(max_retries=-1)}, "failover.maxRetries", "0 to"),
    "leaving-above-all": ({"leave_below": 1.5}, "leaveBelow", "0 to 1"),
    "words-longer-than-the-message": (
        {"rules": (rule(contains=("summarize", "translate"), max_length=8),)},
        "rules.0.when.contains",
        "never fire",
    ),
    "a-message-beyond-its-tokens": (
        {"rules": (rule(min_length=5_000, max_tokens=1_000),)},
        "rules.0.when.maxTokens",
        "never fire",
    ),
    "a-length-that-everything-has": ({"rules": (rule(min_length=-1),)}, "rules.0.when.minLength", "less than 0"),
    "tokens-that-everything-has": ({"rules": (rule(min_tokens=-1),)}, "rules.0.when.minTokens", "less than 0"),
    "a-text-in-every-message": ({"rules": (rule(contains=("",)),)}, "rules.0.when.contains", "empty text"),
    "bound-elsewhere-by-then": (
        {"rules": (rule("r", "B", region="eu", when_region=("us",)),)},
        "rules.0.region",
        "bound to us",
    ),
    "nobody-where-the-request-is-bound-to": (
        {"rules": (rule("r", "B", when_region=("us",)),)},
        "rules.0.profiles",
        "in the region",
    ),
    "nobody-of-its-own-in-its-region": ({"rules": (rule("r", "A", region="eu"),)}, "rules.0.profiles", "in the region"),
    "images-none-of-its-own-takes": (
        {"profiles": ("A", "B", "C"), "rules": (rule("r", "A", needs=(Need.IMAGES,)),)},
        "rules.0.profiles",
        "takes images",
    ),
    "tools-none-of-its-own-takes": (
        {"profiles": ("A", "B", "C"), "rules": (rule("r", "C", needs=(Need.TOOLS,)),)},
        "rules.0.profiles",
        "takes tools",
    ),
    "more-than-fits": ({"rules": (rule("r", "C", min_tokens=10_000),)}, "rules.0.profiles", "window of 10,000 tokens"),
    "a-message-longer-than-fits": (
        {"rules": (rule("r", "C", min_length=40_000),)},
        "rules.0.profiles",
        "window of 10,000 tokens",
    ),
    "each-lacks-something-else": (
        {"rules": (rule("r", "B", "C", needs=(Need.IMAGES,), min_tokens=10_000),)},
        "rules.0.profiles",
        "takes images and has a window",
    ),
    "after-a-pattern-of-models": (
        {"rules": (rule("wide", model=("GPT-*",)), rule("r", model=("gpt-4*", "gpt-4o")))},
        "rules.1.when",
        "meets wide first",
    ),
    "after-a-part-of-its-word": (
        {"rules": (rule("wide", contains=("sum",)), rule("r", contains=("Summarize",)))},
        "rules.1.when",
        "meets wide first",
    ),
    "after-fewer-fields": (
        {"rules": (rule("wide", metadata={"a": "1"}), rule("r", metadata={"a": "1", "b": "2"}))},
        "rules.1.when",
        "meets wide first",
    ),
    "after-a-rule-that-asks-nothing": (
        {"rules": (rule("wide", min_length=0), rule("r", mode=("x",)))},
        "rules.1.when",
        "meets wide first",
    ),
    "a-route-behind-a-wider-one": (
        {"model_routes": {"gpt-*": "A", "gpt-4*": "B"}},
        "modelRoutes",
        "meets gpt-* first",
    ),
    "a-default-behind-everything": (
        {"model_routes": {"*": "A"}, "default_route": "B"},
        "defaultRoute",
        "every model first",
    ),
    "a-tier-of-nobody": ({"tiers": (("A", "B"), ())}, "tiers", "names nobody"),
    "a-last-resort-alone": (
        {"profiles": ("A",), "last_resort": LastResort(profile="A")},
        "lastResort.profile",
        "only profile",
    ),
    "a-last-resort-for-nothing": (
        {"last_resort": LastResort(profile="B", on_error=False, on_rate_limit=False)},
        "lastResort",
        "never",
    ),
    "a-last-resort-elsewhere": (
        {"region": "us", "last_resort": LastResort(profile="B")},
        "lastResort.profile",
        "not in the region us",
    ),
    "a-region-of-nobody": ({"region": "asia"}, "region", "none of its profiles"),
    "a-burst-of-nothing": ({"limits": Limits(burst=5)}, "limits.burst", "limits.requestsPerSecond"),
}


@pytest.mark.parametrize(("settings", "field", "words"), WRONG.values(), ids=WRONG)
def test_what_cannot_work_is_refused_with_its_reason(settings: dict[str, Any], field: str, words: str) -> None:
    pool = Pool(**{"id": "p", "profiles": ("A", "B"), **settings})
    found = check_routing(pool, PROFILES, set(PROFILES))
    assert field in {each.field for each in found}
    told = next(each for each in found if each.field == field)
    assert words in told.message
    assert told.remedy


@pytest.mark.parametrize(
    "settings",
    [{"max_price": Ceiling(input=1)}, {"max_cost_per_token": 2e-6}, {"strategy": Strategy.COST}],
    ids=["a-ceiling", "a-cost-per-token", "the-strategy-cost"],
)
def test_a_pool_that_goes_by_cost_needs_one_price_that_is_known(settings: dict[str, Any]) -> None:
    pool, bare = Pool(id="p", profiles=("A", "B"), **settings), Profile(id="A", provider="openai")
    (found,) = check_prices(pool, (bare, replace(bare, id="B")))
    assert found.field == "strategy" and "none of its profiles has a price" in found.message and found.remedy
    assert not check_prices(pool, (bare, replace(bare, id="B", price=Price(input=1, output=2))))
    assert not check_prices(Pool(id="p", profiles=("A",)), (bare,))


def test_a_budget_needs_a_price_that_is_known() -> None:
    bare = Profile(id="A", provider="openai", budget=Budget(per_day=1))
    (found,) = check_budget(bare)
    assert (found.field, found.profile_id) == ("budget", "A") and "needs its price" in found.message
    assert not check_budget(replace(bare, price=Price(input=1, output=2)))


def test_what_can_work_is_not_complained_about() -> None:
    rules = (
        rule("narrow", mode=("x",), tags=("t",)),
        rule("wide", mode=("x", "y")),
        rule("eu", "B", region="eu", tags=("private",)),
        rule("either", "A", region="us", when_region=("us", "eu")),
        rule("short", contains=("sum", "a longer word"), max_length=3),
        rule("models", model=("gpt-4*",)),
        rule("one of more models", model=("gpt-4o", "gemini-*")),
        rule("a pattern of another kind", model=("gpt-?",)),
        rule("wider than that", model=("gpt-*",)),
        rule("one that takes them", "A", "C", needs=(Need.IMAGES,)),
        rule("just fits", "C", min_tokens=8_000, max_tokens=8_000),
        rule("rest", "B", "A"),
    )
    pool = Pool(
        id="p",
        profiles=("A", "B"),
        rules=rules,
        tiers=(("A",), ("B",)),
        weights={"A": 0.0},
        split={"B": 5.0},
        limits=Limits(requests_per_second=0.5, burst=3),
        budget=Budget(per_month=5),
        last_resort=LastResort(profile="B"),
        leave_below=0.1,
    )
    assert check_routing(pool, PROFILES, set(PROFILES)) == []
    assert check_routing(Pool(id="plain", profiles=("A",)), PROFILES, set(PROFILES)) == []
    routed = Pool(
        id="p", profiles=("A", "B"), model_routes={"gpt-4*": "A", "gpt-*": "B", "gpt-4o": "B"}, default_route="A"
    )
    assert check_routing(routed, PROFILES, set(PROFILES)) == []
    beyond = Pool(id="p", profiles=("A",), region="eu", rules=(rule("r", "B"),), last_resort=LastResort(profile="B"))
    assert check_routing(beyond, PROFILES, set(PROFILES)) == []


def test_nothing_is_said_of_a_rule_to_profiles_that_cannot_be_read() -> None:
    pool = Pool(id="p", profiles=("A", "torn"), rules=(rule("r", "A", "torn", needs=(Need.IMAGES,)),))
    assert check_routing(pool, PROFILES, {*PROFILES, "torn"}) == []


def test_a_ceiling_under_all_prices_that_are_known_lets_nobody_answer() -> None:
    dear, bare = PROFILES["B"], Profile(id="C", provider="openai")
    for settings, field in (
        ({"max_price": Ceiling(output=1.5)}, "maxPrice"),
        ({"max_cost_per_token": 1e-6}, "maxCostPerToken"),
    ):
        pool = Pool(id="p", profiles=("B", "C"), **settings)
        (found,) = check_prices(pool, (dear, bare))
        assert found.field == field and "costs more than its ceiling" in found.message and found.remedy
        assert not check_prices(pool, (replace(dear, price=Price(input=0.5, output=0.5)), dear))


@pytest.mark.parametrize(
    ("settings", "field", "words"),
    [
        ({"limits": Limits(tokens_per_day=0)}, "limits.tokensPerDay", "lets nothing pass"),
        ({"price": Price(input=-1, output=1)}, "price.input", "no price in USD"),
        ({"price": Price(input=0.000003, output=15)}, "price.input", "per token"),
        ({"price": Price(input=1e6, output=15)}, "price.input", "no price in USD"),
        ({"max_retries": -1}, "maxRetries", "0 to 100"),
    ],
    ids=["limit", "negative-price", "price-per-token", "price-beyond-sense", "retries"],
)
def test_what_a_profile_may_spend_must_make_sense(settings: dict[str, Any], field: str, words: str) -> None:
    found = {each.field: each.message for each in check_profile(Profile(id="A", provider="openai", **settings))}
    assert words in found[field]


@pytest.mark.parametrize(
    ("defaults", "field"),
    [
        (Defaults(budgets={"work": Budget(per_day=0)}), "budgets.work.perDay"),
        (Defaults(retries_per_minute=-1), "retriesPerMinute"),
        (Defaults(ledger_days=0), "ledgerDays"),
    ],
    ids=["budget-of-a-tag", "retries", "ledger"],
)
def test_the_defaults_are_looked_at_too(defaults: Defaults, field: str) -> None:
    assert field in {each.field for each in check_defaults(defaults)}


def test_a_remedy_speaks_of_whose_limit_it_is() -> None:
    nothing = Limits(requests_per_day=0)
    (profile,) = check_profile(Profile(id="A", provider="openai", limits=nothing))
    (pool,) = check_routing(Pool(id="p", profiles=("A",), limits=nothing), PROFILES, set(PROFILES))
    (tag,) = check_defaults(Defaults(budgets={"work": Budget(per_day=0)}))
    assert [each.remedy for each in (profile, pool, tag)] == [
        "Leave it out for no limit; switch the profile off for none.",
        "Leave it out for no limit; switch the pool off for none.",
        "Leave it out for no limit.",
    ]
