"""An entry that cannot be read, in a file edited by hand: what stays in force, and what is said where nothing does."""

from __future__ import annotations

from tests.commands.conftest import Shell


async def test_a_pool_that_never_could_be_read_is_named_with_line_field_and_remedy(shell: Shell) -> None:
    await shell.save("main")
    text = shell.config.read_text()
    shell.config.write_text(text + "pools:\n  - id: default\n    profiles: [main]\n    regoin: eu\n")
    line = len(text.splitlines()) + 4
    told = (
        "The pool default is not in force: regoin is not a field that rooroute knows "
        f"(line {line} of the configuration); correct its name or remove it."
    )
    for words in (("route", "Hi"), ("chat", "Hi"), ("chat", "Hi", "--pool", "default"), ("rotate",)):
        said = await shell(*words)
        assert (said.code, said.err.splitlines()[-1]) == (1, f"rooroute: {told}")
    assert not shell.provider.requests
    changes: tuple[tuple[str, ...], ...] = (
        ("pools", "set", "default", "region=us"),
        ("pools", "add", "default", "main"),
        ("pools", "rename", "default", "x"),
        ("rules", "set", "r", "when.mode=ask", "profiles=main"),
        ("profiles", "edit", "main", "--pool", "default"),
    )
    for change in changes:
        said = await shell(*change)
        assert said.err.startswith(
            "rooroute: The pool default has to be mended in the configuration file first: regoin"
        )
    assert "regoin: eu" in shell.config.read_text()
    assert "regoin" in str((await shell.well("status", "--json")).json["problems"])
    assert "The pool default is left out: it cannot be read." in (await shell.well("export")).err
    assert (await shell.well("chat", "Hi", "--profile", "main")).out == "main speaks.\n"
    await shell.well("pools", "remove", "default")
    assert (await shell.well("chat", "Hi")).out == "main speaks.\n"


async def test_a_profile_that_never_could_be_read_is_named_where_it_is_missed(shell: Shell) -> None:
    await shell.save("main")
    await shell.save("spare")
    await shell.well("pools", "add", "default", "main", "spare")
    text = shell.config.read_text().replace("  - id: main\n", "  - id: main\n    regoin: eu\n")
    shell.config.write_text(text)
    shell.config.with_name("config.yaml.last-good").unlink()
    told = "is not in force: regoin is not a field that rooroute knows (line "
    found = (await shell.well("route", "Hi", "--json")).json
    assert found["profileId"] == "spare"
    (missed,) = (each for each in found["candidates"] if each["profileId"] == "main")
    assert missed["excludedBy"].startswith(told)
    assert (await shell.well("chat", "Hi")).out == "spare speaks.\n"
    assert told in (await shell.well("why")).out
    await shell.well("profiles", "disable", "spare")
    for words in (("route", "Hi"), ("chat", "Hi")):
        said = await shell(*words)
        assert f"main {told}" in said.out + said.err
    said = await shell("chat", "Hi", "--profile", "main")
    assert f"The profile main {told}" in said.err
