"""Routing from the command line: settings by --set, a rehearsal, tags, consent, and why."""

from __future__ import annotations

import json

from rooroute.scripted_provider import Answer, Fail
from tests.commands.conftest import Shell


async def test_a_rule_is_set_rehearsed_followed_and_explained(shell: Shell) -> None:
    await shell.save("first", Answer("First."))
    await shell.save("second", Answer("Second."))
    rule = [{"name": "code", "when": {"contains": ["write code"], "tags": ["work"]}, "profiles": ["second"]}]
    await shell.well("pools", "add", "default", "first", "second", "--set", f"rules={json.dumps(rule)}")
    found = (await shell.well("route", "Please", "write code", "--tag", "work", "--json")).json
    assert (found["profileId"], found["rule"]) == ("second", "code")
    said = await shell.well("route", "Please", "write code")
    assert said.out.startswith("first is the first in order that can answer (priority;")
    assert "Rule code: tags is not met." in said.err
    assert not shell.provider.requests
    assert (await shell.well("chat", "write code", "--tag", "work")).out == "Second.\n"
    told = await shell.well("why")
    assert "second is the first in order that can answer, led by the rule code." in told.out
    rows = (await shell.well("stats", "--by", "tag", "--json")).json["rows"]
    assert [row["key"] for row in rows] == ["work"]


async def test_the_last_resort_is_used_when_the_user_says_so(shell: Shell) -> None:
    await shell.save("first", Fail("rate-limit", retry_delay=600, lasts=600))
    await shell.save("paid", Answer("Paid."))
    last = json.dumps({"profile": "paid", "consent": "ask"})
    await shell.well("pools", "add", "default", "first", "--set", f"lastResort={last}")
    refused = await shell("chat", "hi")
    assert refused.code != 0 and "wants your consent" in refused.err
    assert (await shell.well("chat", "hi", "--consent")).out == "Paid.\n"


async def test_a_short_prompt_is_told_with_at_least_a_token(shell: Shell) -> None:
    await shell.save("first", Answer())
    assert "about 1 token)" in (await shell.well("route", "Hi")).out


async def test_that_nobody_is_left_but_who_rests_is_told_as_it_happens(shell: Shell) -> None:
    await shell.save("first", Fail("rate-limit", retry_delay=600), Answer("First after all."))
    await shell.well("pools", "add", "default", "first", "--set", "safetyNet=true")
    assert (await shell("chat", "hi")).code != 0
    said = await shell.well("chat", "hi")
    assert said.out == "First after all.\n"
    assert "· first is asked once more although it rests or has failed, since nobody else is left" in said.err


async def test_what_cannot_work_is_refused_in_a_sentence(shell: Shell) -> None:
    await shell.save("first", Answer())
    said = await shell("pools", "add", "main", "first", "--set", 'weights={"first": 0}')
    assert said.code != 0
    assert "sum to nothing" in said.err and len(said.err.splitlines()) == 1


async def test_an_empty_pool_says_what_puts_a_profile_into_it(shell: Shell) -> None:
    for words in (("route", "hi"), ("chat", "hi")):
        said = await shell(*words)
        assert "The pool has no profiles; add one first. To save one: rooroute profiles add.\n" in said.out + said.err
    await shell.save("one")
    await shell.save("two")
    await shell.well("pools", "add", "work stuff", "one")
    await shell.well("profiles", "remove", "one")
    told = "The pool work stuff holds no profile; to put some in: rooroute pools edit 'work stuff' two"
    assert (await shell.well("route", "hi")).out.splitlines()[1] == told
    assert (await shell.well("route", "hi", "--json")).json["reason"] == told
    await shell.well("profiles", "remove", "two")
    told = "The pool work stuff holds no profile; to save one: rooroute profiles add --pool 'work stuff'"
    for words in (("route", "hi"), ("chat", "hi")):
        said = await shell(*words)
        assert told in said.out + said.err
