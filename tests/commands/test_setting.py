"""Fields set, read, taken away and renamed by name, each command a real process."""

from __future__ import annotations

import pytest

from tests.commands.conftest import Shell


async def test_a_profiles_fields_are_set_read_and_taken_away(shell: Shell) -> None:
    await shell.save("main")
    await shell.well(
        "profiles", "set", "main", "timeouts.idle=20", "tags=work,cheap", "price.input=1", "price.output=2"
    )
    assert (await shell.well("profiles", "get", "main", "timeouts.idle")).out == "20\n"
    assert (await shell.well("profiles", "get", "main", "timeouts.total")).out == "600\n"  # by default
    told = (await shell.well("profiles", "get", "main")).out.splitlines()
    assert {"timeouts.idle=20", "tags=work,cheap", "price.output=2", "apiKey=${KEY_OF_MAIN}"} <= set(told)
    said = await shell.well("profiles", "unset", "main", "timeouts.idle", "price")
    assert (said.out, said.err) == ("main is saved.\n", "Take it back with: rooroute undo\n")
    text = shell.config.read_text()
    assert "timeouts" not in text
    assert "price" not in text
    assert (await shell.well("profiles", "get", "main", "price")).out == ""


async def test_what_a_health_check_costs_is_told_when_it_is_switched_on(shell: Shell) -> None:
    await shell.save("main")
    said = await shell.well("profiles", "set", "main", "healthCheck.enabled=true")
    assert said.out.splitlines()[1] == (
        "Health check: Asks for its list of models every 60 seconds, which costs no tokens."
    )
    paid = ("healthCheck.sends=completion", "price.input=1", "price.output=2")
    assert "$0.06 a day at most" in (await shell.well("profiles", "set", "main", *paid)).out
    edited = await shell.well("profiles", "edit", "main", "--set", "healthCheck.interval=30")
    assert "$0.12 a day at most" in edited.out
    assert "Health check" not in (await shell.well("profiles", "set", "main", "healthCheck.enabled=false")).out


async def test_a_kept_key_that_would_go_elsewhere_is_asked_for_anew(shell: Shell) -> None:
    await shell.save("main")
    kept = shell.config.read_text().replace("apiKey: ${KEY_OF_MAIN}", "keySavedAt: '2026-01-31T12:00:00.000Z'")
    shell.config.write_text(kept)
    said = await shell("profiles", "set", "main", "baseUrl=https://elsewhere.example/v1")
    assert said.code == 1
    assert said.err.endswith("Both at once: rooroute profiles edit main --set FIELD=VALUE --ask-key\n")
    assert shell.config.read_text() == kept


async def test_a_pools_rules_are_set_by_their_names(shell: Shell) -> None:
    await shell.save("main")
    await shell.save("spare")
    said = await shell("pools", "set", "coding", "strategy=latency")
    assert said.err == "rooroute: There is no saved pool 'coding'; save it first: rooroute pools add coding PROFILE …\n"
    await shell.well("pools", "add", "coding", "main", "spare")
    await shell.well("pools", "set", "coding", "rules.review.when.mode=ask", "rules.review.profiles=spare")
    assert (await shell.well("route", "Look", "--mode", "ask", "--json")).json["rule"] == "review"
    await shell.well("pools", "unset", "coding", "rules.review")
    assert "rule" not in (await shell.well("route", "Look", "--mode", "ask", "--json")).json


async def test_rules_are_saved_ordered_and_removed(shell: Shell) -> None:
    await shell.save("main")
    await shell.save("spare")
    assert (await shell("rules", "set", "a", "when.mode=ask")).err.startswith(
        "rooroute: There is no saved pool 'default'"
    )
    await shell.well("pools", "add", "default", "main", "spare")
    assert "has no rules" in (await shell.well("rules", "list")).out
    await shell.well("rules", "set", "v1.2 asks", "when.mode=ask", "profiles=spare", "only=true")
    said = await shell("rules", "set", "long", "when.minLength", "1000")
    assert said.err == "rooroute: Pool default: rule long leads nowhere. Name the profiles it leads to.\n"
    await shell.well(
        "rules", "set", "long", "when.minLength=1000", "profiles=main", "strategy=cost", "--pool", "default"
    )
    assert (
        await shell.well("rules", "move", "long", "1")
    ).out == "The rule long of the pool default is moved and tried at place 1 of 2.\n"
    told = [line.split("  ") for line in (await shell.well("rules", "list")).out.splitlines()[1:]]
    assert [[word.strip() for word in line if word] for line in told] == [
        ["1", "long", "minLength 1000", "main by cost"],
        ["2", "v1.2 asks", "mode ask", "only spare"],
    ]
    await shell.well("rules", "unset", "v1.2 asks", "only")
    await shell.well("rules", "remove", "long")
    assert (await shell.well("rules", "list", "--json")).json["rules"] == [
        {"name": "v1.2 asks", "when": {"mode": ["ask"]}, "profiles": ["spare"]}
    ]
    for words, sentence in (
        (("remove", "long"), "There is no rule 'long'"),
        (("move", "v1.2 asks", "2"), "from 1 to 1."),
    ):
        said = await shell("rules", *words)
        assert (said.code, sentence in said.err) == (1, True)


async def test_a_new_rule_is_tried_before_the_one_that_takes_everything(shell: Shell) -> None:
    await shell.save("main")
    await shell.save("spare")
    await shell.well("pools", "add", "default", "main", "spare")

    async def order() -> list[str]:
        return [each["name"] for each in (await shell.well("rules", "list", "--json")).json["rules"]]

    await shell.well("rules", "set", "asks", "when.mode=ask", "profiles=spare")
    await shell.well("rules", "set", "all", "profiles=main")
    said = await shell.well("rules", "set", "code", "when.mode=code,edit", "profiles=spare")
    assert said.out == "The rule code of the pool default is saved and tried at place 2 of 3.\n"
    assert await order() == ["asks", "code", "all"]
    await shell.well("rules", "set", "edits", "when.mode=edit", "profiles=main")
    assert await order() == ["asks", "edits", "code", "all"]
    said = await shell("rules", "set", "all too", "profiles=spare")
    assert said.err == (
        "rooroute: Pool default: rule all too can never fire: whatever meets it meets all first. "
        "Put it before that rule, or remove it.\n"
    )
    await shell.well("rules", "set", "first", "when.task=x", "profiles=spare", "--at", "1")
    await shell.well("rules", "set", "asks", "only=true", "--at", "2")  # one that is there moves
    assert await order() == ["first", "asks", "edits", "code", "all"]
    for place, most in (("0", 6), ("7", 6), ("x", 6)):
        said = await shell("rules", "set", "other", "when.task=y", "profiles=main", "--at", place)
        assert said.err == f"rooroute: A rule's place is a number from 1 to {most}.\n"
    said = await shell("rules", "set", "other", "when.task=y", "profiles=main", "--at", "6")
    assert "rule other can never fire" in said.err
    assert await order() == ["first", "asks", "edits", "code", "all"]


async def test_what_holds_for_all_is_set_in_either_spelling(shell: Shell) -> None:
    await shell.save("main")
    await shell.well("settings", "set", "defaults.ledgerDays", "30")
    saved = (await shell.well("settings", "set", "ledgerDays=40", "budgets.a.b.perDay=5", "--json")).json
    assert saved["defaults"]["ledgerDays"] == 40
    assert (await shell.well("settings", "get")).out.splitlines() == [
        'defaults.budgets."a.b".perDay=5',
        "defaults.ledgerDays=40",
    ]
    assert (await shell.well("history", "--json")).json["entries"][0]["changes"][0] == "defaults: ledgerDays 30 → 40"
    await shell.well("settings", "unset", "budgets", "defaults.ledgerDays")
    assert (await shell.well("settings", "get", "ledgerDays")).out == "90\n"
    assert (await shell.well("settings", "get")).out == ""


async def test_another_name_goes_wherever_it_was_named(shell: Shell) -> None:
    await shell.save("main")
    await shell.well("pools", "add", "coding", "main", "--set", "weights.main=2")
    await shell.well("settings", "set", "pool=coding")
    assert (await shell.well("profiles", "rename", "main", "first")).out == "The profile main is called first now.\n"
    await shell.well("pools", "rename", "coding", "work")
    assert (await shell.well("pools", "get", "work", "weights")).out == '{"first": 2}\n'
    assert (await shell.well("settings", "get", "pool")).out == "work\n"
    assert (await shell.well("chat", "Hello")).out.strip() == "main speaks."


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (
            ("settings", "set", "ledgerDays=0"),
            1,
            "defaults.ledgerDays is 1 to 3,660. Choose a number of days in that range.",
        ),
        (("settings", "set", "ledgrDays=3"), 1, "There is no field 'ledgrDays'; did you mean ledgerDays?"),
        (
            ("settings", "set", "pool=nowhere"),
            1,
            "There is no pool nowhere; no pool is saved yet. Name one that is, or none.",
        ),
        (
            ("settings", "set", "profiles.main.notes=x"),
            2,
            "profiles are set by name: rooroute profiles set NAME FIELD=VALUE.",
        ),
        (("profiles", "set", "main", "id=x"), 1, "The id is changed with: rooroute profiles rename main x"),
        (("profiles", "set", "main", "cooldown"), 2, "a setting is written FIELD=VALUE, for example cooldown=300."),
        (("profiles", "set", "main", "apiKey=sk-canary-1"), 2, "A key is never taken from the command line; "),
        (("profiles", "set", "ghost", "notes=x"), 1, "There is no profile 'ghost'; the profiles are: main."),
        (("profiles", "rename", "ghost", "x"), 1, "There is no profile ghost."),
        (("profiles", "unset", "main", "provider"), 1, "provider is missing; add it."),
    ],
)
async def test_a_wrong_word_is_told_with_its_remedy(
    shell: Shell, words: tuple[str, ...], code: int, sentence: str
) -> None:
    await shell.save("main")
    before = shell.config.read_text()
    said = await shell(*words)
    assert sentence in said.err
    assert "canary" not in said.err + said.out
    assert said.code == code
    assert shell.config.read_text() == before


async def test_every_key_is_listed_with_an_example(shell: Shell) -> None:
    told = (await shell.well("settings", "keys")).out
    assert "rules.NAME.when.mode" in told
    assert "budgets.NAME.perDay" in told
    only = (await shell.well("settings", "keys", "defaults", "--json")).json["keys"]
    assert {each["path"].partition(".")[0] for each in only} == {"defaults"}
