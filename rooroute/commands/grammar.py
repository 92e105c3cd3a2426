"""Every command: its words, its options and the function that answers it, as ``module:function`` so that only that one is imported."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final, TypeAlias

from rooroute.commands.words import Words
from rooroute.version import VERSION

if TYPE_CHECKING:
    Group: TypeAlias = argparse._SubParsersAction[Words]  # noqa: SLF001 - argparse has no public name for it

_ABOUT: Final = """\
Language model requests that simply get answered: saved profiles, automatic failover, rotation.

Begin with:
  rooroute demo                 watch it work; nothing of yours is touched
  rooroute profiles add         save a profile; what is needed is asked for
  rooroute chat "Hello"         get an answer from whichever profile can give one
  rooroute status --watch       see who answers, who rests and until when
"""
_MORE: Final = """\
Every command explains itself: rooroute COMMAND --help. Nothing is sent anywhere but to the providers of your profiles.
Exit codes: 0 done, 1 not done (one sentence on standard error says why), 2 not understood, 130 interrupted.
"""
_PROFILES: Final = """\
A profile is a provider, a model and a key. The key lies in the system's keyring, all else in a file you may edit by hand.
"""
_ADD: Final = """\
Save a profile. What is missing is asked for, where somebody is there to be asked.

  rooroute profiles add Gemini1 --provider gemini --model gemini-2.5-pro
  rooroute profiles add work --provider openai --model gpt-4.1 --key-env OPENAI_API_KEY --set options.organization=org-1
  rooroute profiles add local --provider ollama --model llama3.2 --pool default
  rooroute profiles add vault --provider openai --model gpt-4.1 --key-command 'op read op://Private/OpenAI/key'
  pass show groq | rooroute profiles add fast --provider groq --model llama-3.3-70b-versatile --key-stdin
"""
_EDIT: Final = """\
Change a profile; fields that are not named stay. With no option at all every field is asked for, its present value offered.

  rooroute profiles edit Gemini1 --ask-key
  rooroute profiles edit work --set cooldown=300 --set timeouts.firstToken=20 --set notes=
"""
_SET: Final = """\
Set fields of a {noun}, by their names in the configuration file; what is not named stays. rooroute settings keys lists them all.

{examples}

A list is written a,b,c; groups of a list a,b;c; anything may be JSON. A name with dots needs quotes only where it could be mistaken
for a field. An empty VALUE takes the field away, as unset does.
"""
_SET_PROFILE: Final = _SET.format(
    noun="profile",
    examples="""\
  rooroute profiles set work timeouts.idle=20 limits.requestsPerMinute=60
  rooroute profiles set work tags=cheap,fast headers.X-Team=blue""",
)
_SET_POOL: Final = _SET.format(
    noun="pool",
    examples="""\
  rooroute pools set coding strategy=latency latency.window=600
  rooroute pools set coding weights.work=3 modelRoutes.gpt-4.1=work
  rooroute pools set coding rules.review.when.mode=ask rules.review.profiles=local""",
)
_RULES: Final = """\
A rule sends the requests that meet its conditions to profiles of its own. Rules are tried in their order; the first one met leads.
A new one is tried last, or just before a rule that takes whatever it would take; --at chooses its place.
rooroute settings keys pools lists their fields; rooroute route tells which rule would fire.

  rooroute rules set planning when.mode=architect profiles=work
  rooroute rules set private when.tags=private profiles=local only=true --pool coding --at 1
  rooroute rules move private 1 --pool coding
"""
_SETTINGS: Final = """\
What holds where neither profile nor pool says otherwise, and for this machine as a whole: budgets by tag, retries per minute,
how long the record of attempts is kept, when a key is old.

  rooroute settings set ledgerDays=30 budgets.work.perDay=5
  rooroute settings unset budgets.work
"""
_POOLS: Final = """\
A pool is a list of profiles that stand in for each other: the first one that can answer does.
Where no pool was saved, there is one: default, with every profile in the file's order.
"""
_POOL_ADD: Final = """\
Save a pool of profiles, the preferred one first.

  rooroute pools add coding Gemini1 Gemini2 work --cooldown 300
  rooroute pools add cheap local fast --strategy round_robin --set maxWait=10
"""
_ROTATE: Final = """\
Send the pool's next requests to the next profile that can serve: its current one rests, in every window on this machine.
Answers under way are not disturbed. An editor's own "rotate now" moves only its window and lets nobody rest.
"""
_CHAT: Final = """\
Get a prompt answered, streaming, by whichever profile of the pool can. The prompt is the words given, or standard input for
"-" or a pipe; with neither, it is a conversation until Ctrl-D. Only the answer goes to standard output.

  rooroute chat "What is a monad?"
  git diff | rooroute chat --system "Review this diff." -
"""
_WHY: Final = """\
Why a request went where it went: who was considered, who was left out and why, and how each attempt ended. Without a
request it is the latest one. Records are kept for a week and never hold what was said.
"""
_DOCTOR: Final = """\
Look at everything a request needs and name cause and remedy of what is wrong: configuration, keyring, shared state,
other windows, clock, proxy, and each profile's address, key and model. Sends one list of models' request per profile.
"""
_IMPORT: Final = """\
Bring in Loom's ai_gateway, LiteLLM's config.yaml, providers with routing_rules, or an export of rooroute's own. Every key of
the file is told: where it acts, or why it does not. Keys go to the keyring. It is one change, and undo takes it back.

  rooroute import gateway.yaml --dry-run
  rooroute import litellm/config.yaml --pool work
"""
_HISTORY: Final = """\
What changed in the configuration, and when, whoever changed it: a command, an editor, or you by hand.

  rooroute history --on tuesday
  rooroute undo 4b18911f
"""
_FIELD: Final = "any field by its name in the configuration file, such as cooldown=300; an empty VALUE takes it away"


def grammar(*, serve_alone: bool = False) -> Words:
    """The whole command line; of ``serve`` alone when that is what was said, since an editor waits for it to start."""
    root = Words(top=True, prog="rooroute", description=_ABOUT, epilog=_MORE)
    root.add_argument("--version", action="version", version=f"rooroute {VERSION}")
    commands = _group(root)
    serving = _add(
        commands, "serve", "rooroute.cli:serve", "speak JSON-RPC on standard input and output, for an editor"
    )
    serving.add_argument("--stdio", action="store_true", help="the only way there is; many editors say so")
    if serve_alone:
        return root
    told = "watch a request get past a rate-limited and an overloaded profile"
    demo = _add(commands, "demo", "rooroute.cli:demonstrate", told)
    demo.add_argument("--fast", action="store_true", help="in about a second")
    _json(demo, "the checked summary as JSON")
    status = _add(commands, "status", "rooroute.commands.status:status", "who answers, who rests and until when")
    status.add_argument("--watch", "-w", action="store_true", help="stay and show every change; Ctrl-C ends it")
    _json(status, "as JSON; with --watch a line for every change")
    _profiles(commands)
    _pools(commands)
    _rules(commands)
    _settings(commands)
    _requests(commands)
    _moving(commands)
    doctor = "find out what keeps requests from being answered"
    _json(_add(commands, "doctor", "rooroute.commands.doctor:doctor", doctor, _DOCTOR))
    return root


def _profiles(commands: Group) -> None:
    here = "rooroute.commands.profiles"
    told = commands.add_parser("profiles", help="save, change, test and remove profiles", description=_PROFILES)
    group = _group(told)
    _json(_add(group, "list", f"{here}:list_profiles", "the profiles, their states and where their keys are"))
    add = _add(group, "add", "rooroute.commands.adding:add", "save a profile", _ADD)
    add.add_argument("id", metavar="NAME", nargs="?", help="what to call it")
    add.add_argument("--provider", metavar="P", help="a provider, or a well-known server such as ollama or groq")
    _fields(add)
    edit = _add(group, "edit", "rooroute.commands.adding:edit", "change a profile", _EDIT)
    edit.add_argument("id", metavar="PROFILE")
    _fields(edit)
    changing = _by_name(group, "profile", "PROFILE", _SET_PROFILE)
    for one in changing:
        told_address = "the key may go to this address, plain http too"
        one.add_argument("--approve-origin", action="store_true", help=told_address)
    for word, summary in (
        ("remove", "remove a profile and its key; can be undone for ten minutes"),
        ("restore", "undo a removal of the last ten minutes"),
        ("enable", "let a profile be asked again"),
        ("disable", "leave a profile out until it is enabled"),
        ("reset", "forget why a profile rests or has failed"),
    ):
        one = _add(group, word, f"{here}:{word}", summary)
        one.add_argument("id", metavar="PROFILE")
        _json(one)
    dismiss = _add(group, "dismiss", f"{here}:dismiss", "hear no more that these profiles seem to share a quota")
    dismiss.add_argument("ids", metavar="PROFILE", nargs="+", help="those that the status names together")
    _json(dismiss)
    test = _add(group, "test", f"{here}:test", "try profiles step by step: address, key, model, an answer")
    test.add_argument("ids", metavar="PROFILE", nargs="*", help="which (default: every enabled one)")
    levels = ("connect", "auth", "completion")
    test.add_argument(
        "--level", choices=levels, default="auth", help="how far to go; completion costs one token (auth)"
    )
    _json(test)
    models = _add(group, "models", f"{here}:models", "the models a profile can be asked for")
    models.add_argument("id", metavar="PROFILE")
    models.add_argument("--refresh", action="store_true", help="ask the provider anew")
    _json(models)


def _by_name(group: Group, noun: str, metavar: str, about: str) -> tuple[Words, Words]:
    """``get``, ``set``, ``unset`` and ``rename``; gives those that save."""
    here = "rooroute.commands.setting"
    get = _add(group, "get", f"{here}:get_{noun}", f"show the fields of a {noun}, or one of them")
    get.add_argument("id", metavar=metavar)
    _one_field(get)
    put = _add(group, "set", f"{here}:set_{noun}", f"set fields of a {noun}", about)
    put.add_argument("id", metavar=metavar)
    unset = _add(
        group, "unset", f"{here}:unset_{noun}", f"take fields of a {noun} away: they have their defaults again"
    )
    unset.add_argument("id", metavar=metavar)
    _many_fields(put, unset)
    rename = _add(group, "rename", f"{here}:rename_{noun}", f"give a {noun} another id; what names it follows")
    rename.add_argument("id", metavar=metavar)
    rename.add_argument("new_id", metavar="NAME", help="what to call it")
    _json(rename)
    return put, unset


def _rules(commands: Group) -> None:
    here = "rooroute.commands.rules"
    told = commands.add_parser("rules", help="save, order and remove the rules of a pool", description=_RULES)
    group = _group(told)
    listing = _add(group, "list", f"{here}:list_rules", "the rules in the order in which they are tried")
    put = _add(group, "set", f"{here}:set_rule", "save a rule or change its fields", _RULES)
    unset = _add(group, "unset", f"{here}:unset_rule", "take fields of a rule away")
    move = _add(group, "move", f"{here}:move_rule", "try a rule earlier or later")
    remove = _add(group, "remove", f"{here}:remove_rule", "remove a rule")
    for each in (put, unset, move, remove):
        each.add_argument("id", metavar="RULE")
    put.add_argument("--at", metavar="PLACE", help="try it at this place; 1 is tried first")
    move.add_argument("place", metavar="PLACE", help="1 is tried first")
    _many_fields(put, unset)
    for each in (listing, put, unset, move, remove):
        each.add_argument("--pool", metavar="POOL", help="of this pool (the default one)")
    for each in (listing, move, remove):
        _json(each)


def _settings(commands: Group) -> None:
    here = "rooroute.commands.setting"
    told = commands.add_parser("settings", help="what holds for every profile and pool", description=_SETTINGS)
    group = _group(told)
    _one_field(_add(group, "get", f"{here}:get_settings", "show what is set for all, or one field of it"))
    put = _add(group, "set", f"{here}:set_settings", "set what holds for all", _SETTINGS)
    unset = _add(group, "unset", f"{here}:unset_settings", "take fields away: they have their defaults again")
    _many_fields(put, unset)
    keys = _add(group, "keys", f"{here}:keys", "every key of the configuration: what it is for, and an example")
    sections = ("profiles", "pools", "defaults")
    keys.add_argument("section", metavar="SECTION", nargs="?", choices=sections, help=", ".join(sections))
    _json(keys)


def _one_field(parser: Words) -> None:
    parser.add_argument("field", metavar="FIELD", nargs="?", help="only this one, as timeouts.idle")
    parser.add_argument("--all", action="store_true", help="those too that are as they are by default")
    _json(parser)


def _many_fields(put: Words, unset: Words) -> None:
    put.add_argument("settings", metavar="FIELD=VALUE", nargs="+", help="or FIELD VALUE, for one")
    unset.add_argument("fields", metavar="FIELD", nargs="+", help="as timeouts.idle, or timeouts for all of them")
    for each in (put, unset):
        _json(each)


def _fields(parser: Words) -> None:
    """The options of ``add`` and ``edit``."""
    parser.add_argument("--name", help="a longer name to show")
    parser.add_argument("--model", metavar="M", help="the model it is asked for where a request names none")
    parser.add_argument("--base-url", metavar="URL", help="another address than the provider's own")
    parser.add_argument("--set", metavar="FIELD=VALUE", action="append", default=[], help=_FIELD)
    parser.add_argument("--pool", metavar="POOL", help="put it at the end of this pool")
    parser.add_argument("--approve-origin", action="store_true", help="the key may go to this address, plain http too")
    key = parser.add_mutually_exclusive_group()
    key.add_argument("--ask-key", action="store_true", help="ask for the key without showing it")
    key.add_argument("--key-stdin", action="store_true", help="read the key from standard input")
    key.add_argument("--key-env", metavar="NAME", help="use the environment variable NAME; only its name is saved")
    told = "run PROGRAM, a vault's client for instance, whenever the key is needed; it prints the key"
    key.add_argument("--key-command", metavar="'PROGRAM ARG …'", help=told)
    parser.add_argument("--key-slot", metavar="SLOT", help="which secret it is, where a profile has several (apiKey)")
    _json(parser)


def _pools(commands: Group) -> None:
    here = "rooroute.commands.pools"
    group = _group(commands.add_parser("pools", help="save, change and remove pools of profiles", description=_POOLS))
    _json(_add(group, "list", f"{here}:list_pools", "the pools and who answers in each"))
    for word, summary, about, many in (
        ("add", "save a pool", _POOL_ADD, "+"),
        ("edit", "change a pool; profiles, if named, replace its list", None, "*"),
    ):
        one = _add(group, word, f"{here}:{word}", summary, about)
        one.add_argument("id", metavar="POOL")
        one.add_argument("profiles", metavar="PROFILE", nargs=many, help="the preferred one first")
        one.add_argument("--name", help="a longer name to show")
        one.add_argument(
            "--strategy", metavar="S", help="how to choose among those that can serve: priority, round_robin, …"
        )
        one.add_argument("--cooldown", metavar="SECONDS", help="how long to rest a profile that names no time itself")
        one.add_argument("--set", metavar="FIELD=VALUE", action="append", default=[], help=_FIELD)
        _json(one)
    _by_name(group, "pool", "POOL", _SET_POOL)
    remove = _add(group, "remove", f"{here}:remove", "remove a pool; its profiles stay")
    remove.add_argument("id", metavar="POOL")
    _json(remove)
    rotate = _add(commands, "rotate", f"{here}:rotate", "rest the current profile and go on with the next", _ROTATE)
    rotate.add_argument("pool", metavar="POOL", nargs="?", help="which pool (the default one)")
    rotate.add_argument("--to", metavar="PROFILE", help="rest everybody in front of this one")
    rotate.add_argument("--rest", metavar="SECONDS", help="how long (the pool's cooldown, else 5 minutes)")
    _json(rotate)


def _requests(commands: Group) -> None:
    chat = _add(commands, "chat", "rooroute.commands.chat:chat", "get a prompt answered", _CHAT)
    chat.add_argument("prompt", metavar="PROMPT", nargs="*", help='words, or "-" for standard input')
    who = chat.add_mutually_exclusive_group()
    who.add_argument("--pool", metavar="P", help="ask this pool (the default one)")
    who.add_argument("--profile", metavar="P", help="ask this profile and no other")
    chat.add_argument("--model", metavar="M", help="ask for this model (each profile's own)")
    _told_to_rules(chat)
    chat.add_argument("--system", metavar="S", help="what the model should be and do")
    _json(chat, "the whole result as JSON, when it is there")
    route = _add(commands, "route", "rooroute.commands.rehearsal:route", "who would answer a prompt; nothing is sent")
    route.add_argument("prompt", metavar="PROMPT", nargs="*", help="words")
    whom = route.add_mutually_exclusive_group()
    whom.add_argument("--pool", metavar="P", help="of this pool (the default one)")
    whom.add_argument("--profile", metavar="P", help="this profile and no other")
    route.add_argument("--model", metavar="M", help="for this model (each profile's own)")
    _told_to_rules(route)
    _json(route)
    why = _add(commands, "why", "rooroute.commands.statistics:why", "why a request went where it went", _WHY)
    why.add_argument("request", metavar="REQUEST", nargs="?", default="latest", help='its id, or "latest"')
    _json(why)
    stats = _add(commands, "stats", "rooroute.commands.statistics:stats", "counts, times, tokens and cost")
    stats.add_argument("--since", metavar="TIME", default="7d", help="30m, 12h, 7d, or a date such as 2026-01-31 (7d)")
    stats.add_argument(
        "--by",
        choices=("profile", "provider", "model", "day", "tag", "pool"),
        default="profile",
        help="what a row is (profile)",
    )
    form = stats.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="as comma-separated values, for a spreadsheet")
    form.add_argument("--json", action="store_true", help="as JSON")


def _told_to_rules(parser: Words) -> None:
    parser.add_argument("--mode", metavar="M", help="for the rules: the mode it is asked in")
    parser.add_argument("--task", metavar="T", help="for the rules: what it is about")
    parser.add_argument("--language", metavar="L", help="for the rules: the language of the file")
    parser.add_argument("--tag", metavar="TAG", action="append", default=[], help="for rules, budgets and statistics")
    parser.add_argument("--region", metavar="R", help="ask profiles of this region and no others")
    parser.add_argument("--consent", action="store_true", help="the last resort may be used")


def _moving(commands: Group) -> None:
    here = "rooroute.commands.moving"
    bring = _add(commands, "import", f"{here}:import_file", "bring in another program's configuration", _IMPORT)
    bring.add_argument("file", metavar="FILE", help='the file, or "-" for standard input')
    bring.add_argument("--dry-run", action="store_true", help="tell what would be done, and do nothing")
    bring.add_argument("--pool", metavar="POOL", help="the pool that its routing goes to")
    bring.add_argument("--approve-origin", action="store_true", help="its addresses may be asked, plain http too")
    _json(bring, "the account of every key as JSON")
    export = _add(commands, "export", f"{here}:export", "print the configuration, without secrets")
    export.add_argument("--format", choices=("yaml", "json", "litellm"), default="yaml", help="(yaml)")
    _json(export, "the text, and what is not in it, as JSON")
    backup = _add(commands, "backup", f"{here}:backup", "copy the configuration file, comments and all")
    backup.add_argument("file", metavar="FILE", nargs="?", help="where to (rooroute-config-DATE.yaml here)")
    backup.add_argument("--force", action="store_true", help="in place of a file that is there")
    _json(backup)
    restore = _add(commands, "restore", f"{here}:restore", "make a backup the configuration again")
    restore.add_argument("file", metavar="FILE", help='the backup, or "-" for standard input')
    restore.add_argument("--dry-run", action="store_true", help="tell what would change, and do nothing")
    _json(restore)
    history = _add(commands, "history", f"{here}:history", "what changed in the configuration, and when", _HISTORY)
    when = history.add_mutually_exclusive_group()
    when.add_argument("--since", metavar="TIME", help="30m, 12h, 7d, or a date such as 2026-01-31")
    when.add_argument("--on", metavar="DAY", help="tuesday, yesterday, or 2026-01-31")
    _json(history)
    undo = _add(commands, "undo", f"{here}:undo", "put a former configuration back; can be undone too")
    undo.add_argument(
        "revision", metavar="REVISION", nargs="?", help="as history tells it (the one before the last change)"
    )
    undo.add_argument("--dry-run", action="store_true", help="tell what would change, and do nothing")
    _json(undo)
    schema = _add(commands, "schema", f"{here}:schema", "print the configuration file's JSON Schema, for editors")
    schema.add_argument("--install", action="store_true", help="lay it beside the configuration instead")
    _json(schema)


def _group(of: Words) -> Group:
    made = of.add_subparsers(metavar="COMMAND", required=True, parser_class=Words)
    of.words = made.choices
    return made


def _add(group: Group, word: str, handler: str, summary: str, about: str | None = None) -> Words:
    made = group.add_parser(word, help=summary, description=about or f"{summary[:1].upper()}{summary[1:]}.")
    made.set_defaults(handler=handler, parser=made, json=False)
    return made


def _json(parser: Words, told: str = "as JSON") -> None:
    parser.add_argument("--json", action="store_true", help=told)
