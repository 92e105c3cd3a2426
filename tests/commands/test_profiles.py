"""Profiles and pools from the command line: saved, changed, shown, tested, removed and brought back."""

from __future__ import annotations

import asyncio
import json
import shlex

import pytest

from rooroute.scripted_provider import Answer, Fail, Raw
from tests.commands.conftest import Said, Shell

GEMINI = ("--provider", "gemini", "--model", "gemini-2.5-pro")


async def test_a_profile_is_saved_shown_changed_removed_and_brought_back(shell: Shell) -> None:
    where = ("--base-url", shell.provider.base_url("gemini"))
    said = await shell.well("profiles", "add", "Gemini1", *GEMINI, *where, "--key-env", "MINE", MINE="key")
    assert said.out == "Gemini1 is saved; its key comes from the environment. Try it: rooroute profiles test Gemini1\n"
    assert "apiKey: ${MINE}" in shell.config.read_text()
    listed = (await shell.well("profiles", "list", "--json", MINE="key")).json["profiles"]
    assert [(each["id"], each["state"], each["secret"]) for each in listed] == [("Gemini1", "active", "environment")]
    shell.config.write_text(shell.config.read_text().replace("- id: Gemini1", "- id: Gemini1  # mine"))
    changed = await shell.well(
        "profiles", "edit", "Gemini1", "--set", "cooldown=300", "--name", "Work", "--json", MINE="key"
    )
    assert changed.json["profile"]["name"] == "Work"
    text = shell.config.read_text()
    assert all(words in text for words in ("# mine", "cooldown: 300", "apiKey: ${MINE}", "gemini-2.5-pro"))
    removed = await shell.well("profiles", "remove", "Gemini1")
    assert removed.err == "Undo it within ten minutes: rooroute profiles restore Gemini1\n"
    assert "Gemini1" not in shell.config.read_text()
    assert (await shell.well("profiles", "restore", "Gemini1")).out == "Gemini1 is back.\n"
    assert shell.config.read_text() == text


async def test_a_profile_is_switched_off_and_on_and_judged_afresh(shell: Shell) -> None:
    await shell.save("one", Fail("billing"), Answer("Back."))
    assert (await shell.well("profiles", "disable", "one")).out.startswith("one is disabled")
    assert (await shell("chat", "hi")).code == 1
    assert (await shell.well("profiles", "enable", "one", "--json")).json["profile"]["state"] == "active"
    assert (await shell("chat", "hi")).code == 1
    assert (await shell.well("status", "--json")).json["profiles"][0]["state"] == "failed"
    assert (await shell.well("profiles", "reset", "one")).out == "one is judged afresh.\n"
    assert (await shell.well("chat", "hi")).out == "Back.\n"


async def test_a_well_known_server_brings_its_address_and_needs_no_key(shell: Shell) -> None:
    await shell.well("profiles", "add", "local", "--provider", "ollama", "--model", "llama3.2")
    text = shell.config.read_text()
    assert "provider: openai-compatible" in text
    assert "baseUrl: http://localhost:11434/v1" in text


async def test_a_profile_goes_into_the_pool_that_is_named(shell: Shell) -> None:
    await shell.save("one")
    await shell.save("two")
    assert "pools:" not in shell.config.read_text()  # the default pool of all is there without being written
    await shell.well("pools", "add", "work", "one")
    lonely = await shell.well("profiles", "add", "three", "--provider", "ollama", "--model", "m")
    assert "in no pool yet: rooroute profiles edit three --pool POOL" in lonely.err
    await shell.well("profiles", "edit", "three", "--pool", "work")
    fresh = await shell.well("profiles", "edit", "two", "--pool", "other")
    assert fresh.err == "The pool other is new.\n"
    pools = (await shell.well("pools", "list", "--json")).json["pools"]
    assert {each["id"]: each["profiles"] for each in pools} == {"work": ["one", "three"], "other": ["two"]}


async def test_testing_tells_every_stage_and_its_exit_code_tells_the_outcome(shell: Shell) -> None:
    await shell.save("good")
    said = await shell.well("profiles", "test", "good", "--level", "completion")
    assert "✓ auth" in said.out
    await shell.save("bad", Fail("invalid-key"))
    failed = await shell("profiles", "test", "bad")
    assert "rooroute profiles edit bad --ask-key" in failed.err
    assert failed.code == 1
    assert "✗ auth" in failed.out
    assert "curl -sS" in failed.err and "$API_KEY" in failed.err
    both = await shell("profiles", "test", "--json")
    assert both.code == 1
    assert {name: each["ok"] for name, each in both.json["profiles"].items()} == {"good": True, "bad": False}
    shown = await shell("profiles", "test")
    assert "good: works" in shown.out
    assert "bad: cannot be used" in shown.out
    assert "Its key is in the environment variable KEY_OF_BAD; set that to another, or save one" in shown.err


@pytest.mark.parametrize("words", [("test",), ("test", "--json"), ("reset",), ("remove",)], ids=" ".join)
async def test_a_profile_that_is_not_there_is_named_with_the_way_to_see_those_that_are(
    shell: Shell, words: tuple[str, ...]
) -> None:
    said = await shell("profiles", *words, "nobody")
    assert said.code == 1
    assert said.err.startswith("rooroute: There is no profile")
    assert said.err.endswith("To see those there are: rooroute profiles list.\n")
    both = await shell("chat", "--profile", "nobody", "hi")
    assert "rooroute profiles list" in both.err
    pool = await shell("pools", "rename", "nowhere", "elsewhere")
    assert pool.err.endswith("To see those there are: rooroute pools list.\n")


async def test_a_command_that_is_suggested_can_be_typed_as_it_stands(shell: Shell) -> None:
    await shell.save("one")
    url = shell.provider.base_url("openai")
    words = ("--provider", "openai-compatible", "--base-url", url, "--key-env", "K")
    said = await shell.well("profiles", "add", "my work", *words, K="key-of-one")
    tried = shlex.split(said.out.partition("Try it: rooroute ")[2])
    assert tried == ["profiles", "test", "my work"]
    assert "It names no model" in said.err
    way = shlex.split(said.err.partition("to choose one: rooroute ")[2])
    assert way == ["profiles", "edit", "my work", "--model", "MODEL"]
    await shell.well(*way[:-1], "scripted-model")
    await shell.well(*tried, K="key-of-one")
    gone = await shell.well("profiles", "remove", "my work")
    await shell.well(*shlex.split(gone.err.partition("rooroute ")[2]))


async def test_an_edit_that_is_not_in_force_is_told_where_it_would_be_looked_for(shell: Shell) -> None:
    await shell.save("one", Answer("Still here."))
    good = shell.config.read_text()
    shell.config.write_text("profiles: [oops\n")
    for words in (("profiles", "list"), ("pools", "list"), ("chat", "hi")):
        said = await shell.well(*words)
        assert said.err.startswith("! ") and "This is not YAML" in said.err, words
        assert "rooroute doctor" in said.err
    doctor = (await shell("doctor")).out
    assert "(line 2)" not in doctor and "line 2:" in doctor, "its place is told once"
    shell.config.write_text(good)
    assert "!" not in (await shell.well("profiles", "list")).err


async def test_an_empty_pool_is_told_from_a_machine_without_profiles(shell: Shell) -> None:
    await shell.save("one", Answer("Here."))
    shell.config.write_text(f"{shell.config.read_text()}pools:\n  - {{id: default, profiles: []}}\n")
    said = await shell("chat", "hi")
    assert said.code == 1
    (told,) = [line for line in said.err.splitlines() if line.startswith("rooroute: ")]
    assert told == "rooroute: The pool default holds no profile; to put some in: rooroute pools edit default one"
    await shell.well(*shlex.split(told.partition("to put some in: rooroute ")[2]))
    assert (await shell.well("chat", "hi")).out == "Here.\n"


async def test_an_unset_variable_is_told_with_its_remedy(shell: Shell) -> None:
    await shell.save("one")
    said = await shell.well("profiles", "list", KEY_OF_ONE="")
    assert "Set it where rooroute runs" in " ".join(said.out.split())


async def test_where_everybody_is_switched_off_the_way_back_is_told(shell: Shell) -> None:
    await shell.save("one")
    await shell.well("profiles", "disable", "one")
    said = await shell("chat", "hi")
    assert said.err.endswith("To switch one on: rooroute profiles enable PROFILE.\n")


async def test_a_suggested_quota_is_dismissed_by_the_command_that_the_status_names(shell: Shell) -> None:
    body = json.dumps({"error": {"message": "Rate limit reached.", "code": "rate_limit_exceeded"}}).encode()
    named = (("openai-organization", "org-one"), ("retry-after", "600"))
    spent = Raw((body,), status=429, content_type="application/json", headers=named)
    await shell.save("one", spent)
    await shell.save("two", spent)
    assert (await shell("chat", "hi")).code != 0
    words = " ".join((await shell.well("status")).out.split())
    assert "belong to the account org-one" in words
    assert "rooroute profiles dismiss one two" in words
    said = await shell.well("profiles", "dismiss", "two", "one")
    assert said.out == "That two and one seem to share a quota is not said again.\n"
    assert "org-one" not in (await shell.well("status")).out
    assert "two profiles at least" in (await shell("profiles", "dismiss", "one")).err


async def test_models_are_listed(shell: Shell) -> None:
    await shell.save("one")
    assert "scripted-large" in (await shell.well("profiles", "models", "one")).out
    listed = (await shell.well("profiles", "models", "one", "--refresh", "--json")).json
    assert {each["id"] for each in listed["models"]} >= {"scripted-model", "scripted-large"}


async def test_a_list_that_cannot_be_had_is_told_with_its_remedy(shell: Shell) -> None:
    await shell.save("bad", Fail("invalid-key"))
    said = await shell.well("profiles", "models", "bad")
    assert "Enter a valid key" in said.err


async def test_a_pool_is_saved_changed_and_removed_with_the_words_that_make_it_again(shell: Shell) -> None:
    for name in ("one", "two"):
        await shell.save(name)
    await shell.well("pools", "add", "my work", "one", "two", "--strategy", "round_robin", "--cooldown", "60")
    await shell.well("pools", "edit", "my work", "two", "one", "--set", "maxWait=5")
    listed = (await shell.well("pools", "list", "--json")).json["pools"]
    assert listed[0]["saved"] == listed[0]["saved"] | {
        "profiles": ["two", "one"],
        "maxWait": 5,
        "strategy": "round_robin",
    }
    removed = await shell.well("pools", "remove", "my work")
    assert removed.err == (
        "Make it again with: rooroute pools add 'my work' two one"
        " --set strategy=round_robin --set cooldown=60 --set maxWait=5\n"
    )
    assert "two" in (await shell.well("profiles", "list")).out


async def test_config_names_another_file(shell: Shell) -> None:
    other = shell.home / "elsewhere" / "mine.yaml"
    await shell.well("--config", str(other), "profiles", "add", "a", "--provider", "ollama", "--model", "m")
    assert not shell.config.exists()
    assert "a" in (await shell.well("profiles", "list", "--config", str(other))).out
    assert "no profile yet" in (await shell.well("profiles", "list")).out


BAD = {
    "an unknown provider": (
        ("profiles", "add", "x", "--provider", "gemnii", "--key-env", "K"),
        1,
        "rooroute: There is no provider of that name; did you mean gemini, or one of openai, ",
    ),
    "an unknown field": (
        ("profiles", "add", "x", *GEMINI, "--key-env", "K", "--set", "cooldwn=3"),
        1,
        "rooroute: There is no field 'cooldwn'; did you mean cooldown?\n",
    ),
    "a wrong type": (
        ("profiles", "add", "x", *GEMINI, "--key-env", "K", "--set", "cooldown=soon"),
        1,
        "rooroute: cooldown must be a number.\n",
    ),
    "no base URL": (
        ("profiles", "add", "x", "--provider", "openai-compatible", "--model", "m"),
        1,
        "needs Base URL. Use --base-url URL.\n",
    ),
    "no field of the vendor's": (
        ("profiles", "add", "x", "--provider", "vertex", "--model", "m"),
        1,
        "Use --set options.project=VALUE.\n",
    ),
    "a base URL with credentials": (
        ("profiles", "add", "x", *GEMINI, "--key-env", "K", "--base-url", "https://me:canary@host/v1"),
        1,
        "rooroute: The base URL cannot be used: it holds credentials; a key belongs into the key field. Write it as https://host/path.\n",
    ),
    "plain http that nobody approved": (
        ("profiles", "add", "x", *GEMINI, "--key-env", "K", "--base-url", "http://api.provider.test/v1"),
        1,
        "; approve that address, or use https. To approve it, run the command again with --approve-origin.\n",
    ),
    "a name twice": (
        ("profiles", "add", "ONE", *GEMINI, "--key-env", "K"),
        1,
        "rooroute: There is already a profile one; choose another name, or change it: rooroute profiles edit one.\n",
    ),
    "a name that cannot be one": (("profiles", "add", "a/b", *GEMINI, "--key-env", "K"), 1, "Choose another id.\n"),
    "a key with a line break": (
        ("profiles", "add", "x", *GEMINI, "--key-stdin"),
        1,
        "rooroute: The key holds a line break; paste it again as one line.\n",
    ),
    "no key": (
        ("profiles", "add", "x", *GEMINI),
        1,
        "name its environment variable with --key-env NAME. Keys are made at",
    ),
    "a key in place of a variable's name": (
        ("profiles", "add", "x", *GEMINI, "--key-env", "sk-canary"),
        2,
        "takes the name of an environment variable, such as OPENAI_API_KEY, never a key.\n",
    ),
    "no name": (("profiles", "add"), 2, "rooroute profiles add: NAME is missing; see rooroute profiles add --help.\n"),
    "no provider": (
        ("profiles", "add", "x"),
        2,
        "rooroute profiles add: --provider is missing; choose one of openai, ",
    ),
    "nothing to change": (("profiles", "edit", "one"), 2, "nothing to change was named"),
    "another id": (("profiles", "edit", "one", "--set", "id=two"), 1, "A profile keeps its id"),
    "a profile that is not there": (
        ("profiles", "remove", "nobody"),
        1,
        "rooroute: There is no profile nobody. To see those there are: rooroute profiles list.\n",
    ),
    "an edit of a profile that is not there": (
        ("profiles", "edit", "nobody", "--name", "n"),
        1,
        "rooroute: There is no profile 'nobody'; the profiles are: one.\n",
    ),
    "an empty pool": (
        ("pools", "edit", "work", "--set", "profiles="),
        1,
        "rooroute: Pool work: it holds no profile. Name at least one profile.\n",
    ),
    "a pool twice": (("pools", "add", "work", "one"), 1, "rooroute: There is already a pool work; choose another name"),
    "a pool of strangers": (
        ("pools", "add", "other", "nobody"),
        1,
        "rooroute: Pool other names a profile that does not exist: nobody.\n",
    ),
    "a profile twice in a pool": (
        ("pools", "add", "other", "one", "one"),
        1,
        "rooroute: Pool other: a profile is named twice. Name it once.\n",
    ),
    "a request to a pool that is not there": (
        ("chat", "--pool", "none", "hi"),
        1,
        "rooroute: There is no pool 'none'; the pools are: work.\n",
    ),
    "a rotation of a pool that is not there": (
        ("rotate", "none"),
        1,
        "There is no pool 'none'; the pools are: work.\n",
    ),
    "a record that is not there": (("why", "none"), 1, "rooroute: There is no record of the request 'none'"),
    "no prompt": (("chat", "-"), 2, 'rooroute chat: there is no prompt: write it behind "chat", or pipe it in.\n'),
}


@pytest.fixture
async def settled(shell: Shell) -> Shell:
    await shell.save("one")
    await shell.well("pools", "add", "work", "one")
    return shell


async def test_bad_input_is_one_sentence_with_field_and_remedy_and_nothing_is_half_saved(settled: Shell) -> None:
    before = settled.config.read_bytes()
    gate = asyncio.Semaphore(4)

    async def said_to(words: tuple[str, ...]) -> Said:
        async with gate:
            return await settled(*words, stdin="two\nlines" if "--key-stdin" in words else "", K="key")

    answers = await asyncio.gather(*(said_to(words) for words, _, _ in BAD.values()))
    for (case, (_, code, sentence)), said in zip(BAD.items(), answers, strict=True):
        assert (said.code, said.out) == (code, ""), case
        assert sentence in said.err, case
        assert said.err.count("\n") == 1, case
        assert "canary" not in said.err, case
    assert settled.config.read_bytes() == before


async def test_an_error_is_an_object_where_json_is_asked_for(shell: Shell) -> None:
    said = await shell("why", "none", "--json")
    assert said.code == 1
    assert said.json["error"] == {
        "kind": "notFound",
        "message": said.err.removeprefix("rooroute: ").strip(),
        "field": "requestId",
    }


async def test_plain_http_is_saved_once_it_is_approved(shell: Shell) -> None:
    words = ("profiles", "add", "x", *GEMINI, "--base-url", "http://api.provider.test/v1", "--key-env", "K")
    await shell.well(*words, "--approve-origin", K="key")
    said = await shell("profiles", "edit", "x", "--base-url", "http://other.test/v1", K="key")
    assert (said.code, "without encryption" in said.err) == (1, True)


async def test_an_address_changed_by_hand_is_approved_by_saying_so(shell: Shell) -> None:
    await shell.save("one")
    away = shell.config.read_text().replace(shell.provider.base_url("openai"), "https://elsewhere.test/v1")
    shell.config.write_text(away)
    refused = await shell("profiles", "edit", "one", "--name", "n")
    assert (refused.code, "--approve-origin" in refused.err) == (1, True)
    asked = await shell("chat", "--profile", "one", "hi")
    assert asked.err.endswith(" To approve it: rooroute profiles edit one --approve-origin.\n")
    await shell.well("profiles", "edit", "one", "--approve-origin")
    await shell.well("profiles", "edit", "one", "--name", "n")


async def test_a_key_may_be_printed_by_a_command(shell: Shell) -> None:
    shell.provider.script("key-from-a-vault", Answer("Fetched."))
    vault = shell.home / "a vault.py"
    vault.write_text("import sys\nprint(sys.argv[1])\n")
    command = f"{shell.python} '{vault}' key-from-a-vault"
    where = ("--provider", "openai-compatible", "--base-url", shell.provider.base_url("openai"), "--model", "m")
    said = await shell.well("profiles", "add", "kept", *where, "--key-command", command)
    assert said.out.startswith("kept is saved; its key comes from a command.")
    assert (await shell.well("chat", "Hello")).out == "Fetched.\n"
    assert (await shell.well("profiles", "get", "kept", "secretCommands.apiKey.command")).out == (
        f"{shell.python},{vault},key-from-a-vault\n"
    )
    await shell.save("named")  # by its variable, and then by a command in its place
    await shell.well("profiles", "set", "named", "timeouts.idle=20")
    await shell.well("profiles", "edit", "named", "--key-command", command)
    told = (await shell.well("profiles", "get", "named", "--json")).json
    assert "KEY_OF_NAMED" not in str(told)
    assert (await shell.well("chat", "Hello", "--profile", "named")).out == "Fetched.\n"
    for wrong in ("", "'unended"):
        said = await shell("profiles", "edit", "kept", "--key-command", wrong)
        assert (said.code, "--key-command takes a program and its arguments" in said.err) == (2, True)
    said = await shell("profiles", "edit", "kept", "--key-command", "x", "--key-env", "Y")
    assert said.code == 2


async def test_a_key_that_would_die_with_the_command_is_refused(shell: Shell) -> None:
    said = await shell("profiles", "add", "x", *GEMINI, "--key-stdin", stdin="sk-canary")
    assert (said.code, shell.config.exists()) == (1, False)
    assert said.err == (
        "rooroute: There is no usable keyring here, so the key would be lost when this command ends; "
        "put it into an environment variable and name that with --key-env NAME.\n"
    )


async def test_a_broken_configuration_is_named_with_its_line_and_nothing_is_written_into_it(shell: Shell) -> None:
    await shell.save("one")
    broken = shell.config.read_text() + "pools: [\n"
    shell.config.write_text(broken)
    said = await shell("profiles", "edit", "one", "--name", "n")
    assert (said.code, "line" in said.err) == (1, True)
    assert shell.config.read_text() == broken
    shown = next(line for line in (await shell.well("status")).out.splitlines() if line.startswith("! "))
    assert shown.count(": This is not YAML") == shown.count("line ") == 1


async def test_a_typing_error_in_one_entry_is_told_and_takes_nobody_out_of_service(shell: Shell) -> None:
    await shell.save("one", Answer("Still here."))
    text = shell.config.read_text().replace("model:", "modell:")
    shell.config.write_text(f"{text}  - id: two\n    provider: gemini\n    colour: blue\n")
    found = (await shell.well("status", "--json")).json
    assert [(each["id"], each["state"], each["secret"]) for each in found["profiles"]] == [
        ("one", "active", "environment"),
        ("two", "failed", "session"),
    ]
    problems = [(each["profileId"], each["field"]) for each in found["problems"] if "profileId" in each]
    assert problems == [("one", "modell"), ("two", "colour")]
    assert (await shell.well("chat", "hi")).out == "Still here.\n"
    said = await shell("profiles", "edit", "one", "--name", "n")
    assert "one has to be mended in the configuration file first: modell is not a field" in said.err


@pytest.mark.skipif("sys.platform == 'win32'", reason="Windows has no pseudo-terminals")
async def test_whoever_sits_there_is_asked_for_what_is_missing(shell: Shell) -> None:
    answers = {
        "What shall it be called": "mine\n",
        "Which provider": "openai-compatible\n",
        "Base URL": shell.provider.base_url("openai") + "\n",
        "holds the key (empty: none)": "\n",
        "Which model": "scripted-model\n",
    }
    said = await asyncio.to_thread(shell.type, ("profiles", "add"), answers)
    assert said.code == 0, said.out
    assert "llama.cpp server, http://localhost:8080/v1" in said.out
    saved = (await shell.well("profiles", "list", "--json")).json["profiles"][0]
    assert (saved["id"], saved["model"], saved["secret"]) == ("mine", "scripted-model", "notNeeded")
    edited = await asyncio.to_thread(
        shell.type,
        ("profiles", "edit", "mine"),
        {"Base URL [": "\n", "Model (- for none) [scripted-model]": "scripted-large\n", "keep it": "\n"},
    )
    assert edited.code == 0, edited.out
    assert "model: scripted-large" in shell.config.read_text()


@pytest.mark.skipif("sys.platform == 'win32'", reason="Windows has no pseudo-terminals")
async def test_without_a_keyring_the_name_of_a_variable_is_asked_for(shell: Shell) -> None:
    answers = {"Name of the environment variable": "MY_KEY\n", "Which model": "gemini-2.5-pro\n"}
    said = await asyncio.to_thread(shell.type, ("profiles", "add", "g", "--provider", "gemini"), answers)
    assert said.code == 0, said.out
    assert "apiKey: ${MY_KEY}" in shell.config.read_text()
    url = shell.provider.base_url("openai")
    words = ("profiles", "add", "o", "--provider", "openai-compatible", "--base-url", url, "--model", "m")
    said = await asyncio.to_thread(shell.type, words, {"holds the key (empty: none)": "OTHER_KEY\n"})
    assert said.code == 0, said.out
    assert "apiKey: ${OTHER_KEY}" in shell.config.read_text()
    words = ("profiles", "add", "n", "--provider", "openai-compatible", "--base-url", url, "--model", "m")
    said = await asyncio.to_thread(shell.type, words, {"holds the key (empty: none)": "\n"})
    assert said.code == 0, said.out
    assert shell.config.read_text().count("\n    apiKey: ") == 2
    answers = {"Base URL": "\n", "Model": "\n", "(empty: keep it)": "THIRD_KEY\n"}
    said = await asyncio.to_thread(shell.type, ("profiles", "edit", "n"), answers)
    assert said.code == 0, said.out
    assert "apiKey: ${THIRD_KEY}" in shell.config.read_text()


@pytest.mark.skipif("sys.platform == 'win32'", reason="Windows has no pseudo-terminals")
async def test_choices_are_named_and_a_mapping_that_is_not_retyped_stays_as_it_is(shell: Shell) -> None:
    preferences = 'options.provider={"order": ["anthropic"], "zdr": true, "sort": null}'
    add = ("profiles", "add")
    await shell.well(*add, "router", "--provider", "openrouter", "--model", "m", "--key-env", "K", "--set", preferences)
    text = shell.config.read_text()
    keep = {"Model (": "\n", "Provider preferences (": "\n", "App title": "\n", "App URL": "\n", "Base URL": "\n"}
    said = await asyncio.to_thread(shell.type, ("profiles", "edit", "router"), keep | {"keep it": "\n"})
    assert said.code == 0, said.out
    assert '[{"order": ["anthropic"], "zdr": true, "sort": null}]' in said.out
    assert shell.config.read_text() == text
    await shell.well(*add, "open", "--provider", "openai", "--model", "m", "--key-env", "K")
    asked = {"Model (": "\n", "Organization": "\n", "Project": "\n", "API (": "responses\n", "Base URL": "\n"}
    said = await asyncio.to_thread(shell.type, ("profiles", "edit", "open"), asked | {"keep it": "\n"})
    assert "One of: chat, responses." in said.out
    assert "api: responses" in shell.config.read_text()


@pytest.mark.skipif("sys.platform == 'win32'", reason="Windows has no pseudo-terminals")
async def test_ctrl_c_at_a_question_ends_quietly(shell: Shell) -> None:
    said = await asyncio.to_thread(shell.type, ("profiles", "add"), {"What shall it be called": "\x03"})
    assert said.code == 130
    assert "Cancelled." in said.out
    assert not shell.config.exists()
