"""What a window notices: models on their way out, quotas that are shared though nobody said so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from rooroute.outcome import Failure, Fault, Scope
from rooroute.routing.candidate import Candidate
from rooroute.routing.noticed import Leaving, Limited, Notice, Noticed, Shared, shared_quotas
from tests.routing.scenario import NOON

SPENT = Failure(Fault.RATE_LIMIT, "Slow down.", scope=Scope.DOMAIN, per_model=True)


def candidate(name: str) -> Candidate:
    return Candidate(name, "gemini-pro", "https://one.example:443", f"gemini/{name}/", fingerprint=f"key of {name}")


def limited(name: str, after: float, until: float | None = None) -> Limited:
    made = Limited(name, "gemini", "https://one.example:443", f"gemini/{name}/", "gemini-pro", NOON + after)
    return replace(made, until=None if until is None else NOON + until)


TWICE = [limited("A", 0), limited("B", 2), limited("A", 60), limited("B", 61)]
APART = {"A": "gemini/A/", "B": "gemini/B/"}


@pytest.mark.parametrize(
    ("limits", "accounts", "domains", "expected"),
    [
        pytest.param(TWICE, {}, APART, [Shared(("A", "B"))], id="two-that-run-out-together-twice"),
        pytest.param(TWICE[:2], {}, APART, [], id="once-may-be-chance"),
        pytest.param([*TWICE[:2], limited("A", 5), limited("B", 6)], {}, APART, [], id="once-however-often-it-is-asked"),
        pytest.param([limited("A", 0), limited("B", 20), limited("A", 60), limited("B", 90)], {}, APART, [], id="never-within-seconds"),
        pytest.param([replace(each, model=each.profile_id) for each in TWICE], {}, APART, [], id="different-models"),
        pytest.param([replace(each, provider=each.profile_id) for each in TWICE], {}, APART, [], id="different-vendors"),
        pytest.param([replace(each, endpoint=each.profile_id) for each in TWICE], {}, APART, [], id="different-endpoints"),
        pytest.param(
            [limited("A", 0, 30), limited("B", 2, 31), limited("A", 60, 90), limited("B", 61, 90)],
            {}, APART, [Shared(("A", "B"))], id="two-that-come-back-together",
        ),
        pytest.param(
            [limited("A", 0, 30), limited("B", 2, 62), limited("A", 60, 90), limited("B", 61, 150)],
            {}, APART, [], id="two-that-come-back-at-different-times",
        ),
        pytest.param(TWICE, {}, {"A": "one", "B": "one"}, [], id="two-that-share-already"),
        pytest.param(TWICE, {}, {"A": "group:a", "B": "group:b"}, [], id="two-that-the-user-set-apart"),
        pytest.param(TWICE, {}, {"A": "group:a", "B": "gemini/B/"}, [Shared(("A", "B"))], id="one-that-the-user-placed"),
        pytest.param(TWICE[:1], {"A": "org-1", "B": "org-1"}, APART, [Shared(("A", "B"), "org-1")], id="one-account-once-one-is-limited"),
        pytest.param([], {"A": "org-1", "B": "org-1"}, APART, [], id="one-account-nobody-limited"),
        pytest.param(TWICE, {"A": "org-1", "B": "org-2"}, APART, [], id="different-accounts-are-proof-against-it"),
        pytest.param(TWICE, {"A": "org-1", "B": "org-1"}, APART, [Shared(("A", "B"), "org-1")], id="said-once"),
        pytest.param(TWICE[:1], {"A": "org-1", "B": "org-1"}, {"A": "group:a", "B": "group:b"}, [], id="one-account-set-apart-by-the-user"),
    ],
)  # fmt: skip
def test_which_profiles_seem_to_share_a_quota(
    limits: list[Limited], accounts: dict[str, str], domains: dict[str, str], expected: list[Shared]
) -> None:
    assert shared_quotas(limits, accounts, domains) == expected


def watched(*names: str) -> tuple[Noticed, dict[str, Candidate], Callable[[str], Candidate | None]]:
    seen = {name: candidate(name) for name in names}
    return Noticed(), seen, seen.get


def test_a_key_that_was_replaced_speaks_for_nobody() -> None:
    noticed, seen, now_as = watched("A", "B")
    for each in seen.values():
        noticed.told_account(each, "org-1", NOON)
    noticed.failed(seen["A"], "openai", SPENT, NOON)
    assert noticed.shared(now_as) == [Shared(("A", "B"), "org-1")]
    seen["B"] = replace(seen["B"], fingerprint="another key")
    assert noticed.shared(now_as) == []


def test_a_profile_that_is_gone_shares_with_nobody() -> None:
    noticed, seen, now_as = watched("A", "B")
    for each in seen.values():
        noticed.told_account(each, "org-1", NOON)
        noticed.failed(each, "openai", SPENT, NOON)
    del seen["B"]
    assert noticed.shared(now_as) == []


@pytest.mark.parametrize(
    "failure",
    [
        Failure(Fault.OVERLOAD, "Busy.", scope=Scope.ENDPOINT),
        Failure(Fault.RATE_LIMIT, "This deployment only.", scope=Scope.PROFILE),
        Failure(Fault.CREDENTIAL, "No.", scope=Scope.PROFILE),
    ],
    ids=lambda failure: failure.fault.value + "-of-the-" + failure.scope.value,
)
def test_what_is_no_quota_of_an_account_says_nothing(failure: Failure) -> None:
    noticed, seen, now_as = watched("A", "B")
    for moment in (0, 60):
        for each in seen.values():
            noticed.failed(each, "gemini", failure, NOON + moment)
    assert noticed.shared(now_as) == []


def test_a_model_is_noted_once_for_all_profiles_of_its_endpoint() -> None:
    noticed, seen, _ = watched("A", "B")
    for each in seen.values():
        noticed.leaving(each, "gemini-pro", Leaving("gemini-pro", stops_at=NOON), NOON)
    (found,) = noticed.models()
    assert found[0] == Leaving("gemini-pro", stops_at=NOON)
    assert [(who, told.configured) for who, told in found[1].items()] == [("A", "gemini-pro"), ("B", "gemini-pro")]


def test_an_answer_that_says_nothing_of_it_takes_the_note_back() -> None:
    noticed, seen, _ = watched("A")
    noticed.leaving(seen["A"], "gemini-pro", Leaving("gemini-pro", gone=True), NOON)
    noticed.serves(replace(seen["A"], model="another"), NOON)
    assert list(noticed.models())
    noticed.serves(seen["A"], NOON)
    assert not list(noticed.models())


def test_only_so_many_models_are_kept() -> None:
    noticed, seen, _ = watched("A")
    for number in range(1000):
        noticed.leaving(replace(seen["A"], model=f"m{number}"), None, Leaving(f"m{number}"), NOON + number)
    kept = [news.model for news, _ in noticed.models()]
    assert len(kept) <= 500 and kept[-1] == "m999"


def told_of(*names: str) -> tuple[list[Notice], dict[str, Candidate]]:
    """What a window whose profiles belong to one account hands to the others."""
    kept: list[Notice] = []
    noticed, seen = Noticed(kept.append), {name: candidate(name) for name in names}
    for each in seen.values():
        noticed.told_account(each, "org-1", NOON)
    noticed.failed(seen["A"], "gemini", SPENT, NOON)
    return kept, seen


def test_what_one_window_noticed_another_knows() -> None:
    kept, seen = told_of("A", "B")
    other = Noticed()
    other.show(kept)
    assert other.shared(seen.get) == [Shared(("A", "B"), "org-1")]


def test_a_dismissed_suggestion_does_not_come_back_for_the_same_profiles_or_some_of_them() -> None:
    kept, seen = told_of("A", "B", "C")
    one, other = Noticed(kept.append), Noticed()
    one.show(list(kept))
    assert one.shared(seen.get) == [Shared(("A", "B", "C"), "org-1")]
    one.dismiss(("C", "A", "B"), NOON)
    other.show(kept)
    for each in one, other:
        assert each.shared(seen.get) == []
        assert each.shared({name: seen[name] for name in ("A", "B")}.get) == []


def test_a_dismissed_suggestion_says_nothing_of_a_profile_that_was_not_in_it() -> None:
    kept, seen = told_of("A", "B", "C")
    one = Noticed()
    one.show(kept)
    one.dismiss(("A", "B"), NOON)
    assert one.shared(seen.get) == [Shared(("A", "B", "C"), "org-1")]


def test_a_limit_met_in_one_window_and_one_in_another_were_met_together() -> None:
    one, other, seen = Noticed(), Noticed(), {name: candidate(name) for name in ("A", "B")}
    kept: list[Notice] = []
    one.keep = other.keep = kept.append
    for moment in (0, 60):
        one.failed(seen["A"], "gemini", SPENT, NOON + moment)
        other.failed(seen["B"], "gemini", SPENT, NOON + moment + 2)
    assert not one.shared(seen.get) and not other.shared(seen.get)
    one.show(kept)
    assert one.shared(seen.get) == [Shared(("A", "B"))]


def test_after_a_restart_a_key_that_was_not_read_yet_speaks_by_what_is_known_of_it() -> None:
    kept, seen = told_of("A", "B")
    begun = Noticed()
    begun.show(kept)
    unread = {name: replace(each, domain=f"profile:{name}") for name, each in seen.items()}
    assert begun.shared(unread.get) == [Shared(("A", "B"), "org-1")]
    replaced = {**unread, "B": replace(unread["B"], fingerprint="another key")}
    assert begun.shared(replaced.get) == []


def test_two_profiles_on_one_key_are_not_suggested_before_it_was_read() -> None:
    kept: list[Notice] = []
    noticed = Noticed(kept.append)
    seen = {name: replace(candidate(name), domain="openai/the key of both/") for name in ("A", "B")}
    for each in seen.values():
        noticed.told_account(each, "org-1", NOON)
        noticed.failed(each, "openai", SPENT, NOON)
    begun = Noticed()
    begun.show(kept)
    assert begun.shared({name: replace(each, domain=f"profile:{name}") for name, each in seen.items()}.get) == []


def test_what_is_told_again_is_handed_on_once_a_day() -> None:
    kept: list[Notice] = []
    noticed, seen = Noticed(kept.append), candidate("A")
    for hour in range(25):
        noticed.leaving(seen, "gemini-pro", Leaving("gemini-pro"), NOON + hour * 3600)
        noticed.told_account(seen, "org-1", NOON + hour * 3600)
    assert [each.at - NOON for each in kept] == [0, 0, 86_400, 86_400]


def test_an_answer_takes_back_what_any_window_was_told_of_the_model() -> None:
    kept: list[Notice] = []
    one, seen = Noticed(kept.append), {name: candidate(name) for name in ("A", "B")}
    for each in seen.values():
        one.leaving(each, "gemini-pro", Leaving("gemini-pro"), NOON)
    other = Noticed(kept.append)
    other.show(kept)
    other.serves(seen["A"], NOON + 1)
    other.serves(seen["A"], NOON + 2)
    assert [each.said for each in kept[2:]] == [None], "said once, not with every answer"
    one.show(kept)
    assert not one.models()


@pytest.mark.parametrize(
    ("news", "words"),
    [
        (Leaving("m", gone=True), "The provider no longer serves the model m."),
        (Leaving("m"), "The provider says that the model m is deprecated."),
        (
            Leaving("m", since=1_790_000_000.0, stops_at=1_800_000_000.0, page="https://a.example"),
            "The provider says that the model m is deprecated since 2026-09-21 and stops on 2027-01-15 (https://a.example).",
        ),
    ],
    ids=["gone", "deprecated", "with-dates-and-a-page"],
)
def test_what_is_said_of_a_model_that_goes(news: Leaving, words: str) -> None:
    assert news.words == words
