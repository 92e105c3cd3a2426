"""``rooroute route``: who would answer a prompt, and why; nothing is sent. And what a request may say of itself on the command line."""

from __future__ import annotations

import secrets
from argparse import Namespace
from shlex import quote
from typing import TYPE_CHECKING, Any, TypeAlias

from rooroute.attempt import Silence
from rooroute.chat import ChatRequest, CompletionOptions, Message
from rooroute.commands.call import OK, Call
from rooroute.commands.statistics import candidate_cells
from rooroute.errors import NoProfiles, RoorouteError
from rooroute.names import checked_tags
from rooroute.profiles import Configuration
from rooroute.routing.costs import usd

if TYPE_CHECKING:
    from rooroute.application import Backend

Json: TypeAlias = dict[str, Any]


def wishes(options: Namespace, session: str | None = None) -> CompletionOptions:
    """How the request wants to be served, by the words of the command line."""
    return CompletionOptions(
        request_id=secrets.token_hex(8),
        pool=options.pool,
        profile=options.profile,
        model=options.model,
        session=session,
        mode=options.mode,
        task=options.task,
        language=options.language,
        tags=checked_tags(options.tag, "tags"),
        region=options.region,
        consent="once" if options.consent else None,
    )


def filled(wrong: RoorouteError, configuration: Configuration, pool_id: str | None) -> RoorouteError:
    """An empty pool's error says how a profile gets into it."""
    pool = configuration.pool(pool_id)
    if not isinstance(wrong, NoProfiles) or pool is None or pool.profiles:
        return wrong
    if configuration.profiles:
        way = f"to put some in: rooroute pools edit {quote(pool.id)} {quote(next(iter(configuration.profiles)))}"
    elif pool.id in configuration.pools:
        way = f"to save one: rooroute profiles add --pool {quote(pool.id)}"
    else:
        told = "The pool has no profiles; add one first. To save one: rooroute profiles add."
        return NoProfiles(told, **wrong.data)
    return NoProfiles(f"The pool {pool.id} holds no profile; {way}", **wrong.data)


def route(call: Call) -> int:
    """Who would answer this prompt."""
    request = ChatRequest((Message("user", " ".join(call.options.prompt)),))

    async def rehearse(backend: Backend) -> Json:
        wish = wishes(call.options)
        told = await backend.dry_run(request, wish, Silence())
        if "reason" in told and not told["candidates"] and wish.profile is None:
            told["reason"] = filled(NoProfiles(told["reason"]), backend.configuration, wish.pool).message
        return told

    found = call.visit(rehearse)
    if call.options.json:
        call.terminal.json(found)
        return OK
    say = call.terminal.say
    cost = f", about ${usd(found['estimatedCost'])}" if "estimatedCost" in found else ""
    led = f"rule {found['rule']}, " if "rule" in found else ""
    who = f"{found['profileId']} {found['because']}" if "profileId" in found else "Nobody could answer now"
    tokens = found["estimatedTokens"]
    say(f"{who} ({led}{found['strategy']}; about {tokens:,} token{'' if tokens == 1 else 's'}{cost}).")
    if "reason" in found:
        say(found["reason"])
    for rule in found["rules"]:
        verdict = "fires" if rule["fires"] else f"{rule['unmet']} is not met" if "unmet" in rule else "comes too late"
        call.terminal.remark(f"Rule {rule['name']}: {verdict}.")
    if found["candidates"]:
        rows = [candidate_cells(each) for each in found["candidates"]]
        call.terminal.show(call.terminal.table(("CONSIDERED", ""), rows))
    return OK
