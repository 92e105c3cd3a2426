"""The methods of the protocol: name, params, result and a thin handler each, and what the roof needs from the house below.

A handler turns validated params into plain arguments and hands back what the application answers: a dict in protocol spelling, or
values that ``envelope.encode`` can spell (dataclasses become camelCase objects without their None fields).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Protocol, TypeAlias, TypeVar

from pydantic import BaseModel

from rooroute import chat
from rooroute.attempt import Sink
from rooroute.errors import InvalidInput, RoorouteError
from rooroute.names import checked_tags
from rooroute.profiles import Defaults, Pool, Profile
from rooroute.rpc import messages as m
from rooroute.rpc.conversation import chat_request

Json: TypeAlias = dict[str, Any]


class Application(Protocol):
    """The house as the roof sees it. Dicts are in protocol spelling; failures are ``errors.RoorouteError``; times are UTC epoch seconds,
    durations seconds. ``secrets`` maps slots to typed keys, ``revision`` is the configuration's the edit began from (None: any)."""

    def listen(self, changed: Callable[[Json], None]) -> None:
        """Call ``changed`` on the loop with the params of ``rooroute/statusChanged`` whenever something a user sees has changed."""

    async def close(self) -> None:
        """Write down what is still unwritten and let go of everything; called once, after every request has ended or been cancelled."""

    async def status(self) -> Json: ...

    async def providers(self) -> Json: ...

    async def profile(self, profile_id: str) -> Json: ...

    async def save_profile(
        self, profile: Profile, secrets: Mapping[str, str], *, revision: str | None, approve_origin: bool
    ) -> Json: ...

    async def duplicate_profile(self, profile_id: str, new_id: str | None) -> Json: ...

    async def delete_profile(self, profile_id: str, *, revision: str | None) -> Json: ...

    async def restore_profile(self, profile_id: str) -> Json: ...

    async def set_enabled(self, profile_id: str, enabled: bool) -> Json: ...

    async def reset_profile(self, profile_id: str) -> Json: ...

    async def dismiss(self, profile_ids: Sequence[str]) -> None: ...

    async def test_profile(
        self, target: str | Profile, secrets: Mapping[str, str], level: str, report: Callable[[Json], None]
    ) -> Json:
        """``target`` is a saved profile's id or a draft; ``report`` takes each stage (without ``kind``) as it is done."""

    async def models(self, target: str | Profile, secrets: Mapping[str, str], *, refresh: bool) -> Json: ...

    async def save_pool(self, pool: Pool, *, revision: str | None) -> Json: ...

    async def delete_pool(self, pool_id: str, *, revision: str | None) -> Json: ...

    async def rename_profile(self, profile_id: str, new_id: str, *, revision: str | None) -> Json: ...

    async def rename_pool(self, pool_id: str, new_id: str, *, revision: str | None) -> Json: ...

    async def settings(self) -> Json: ...

    async def save_settings(self, defaults: Defaults, *, revision: str | None) -> Json: ...

    async def import_text(
        self, text: str, *, pool: str | None, dry_run: bool, approve_origin: bool, revision: str | None
    ) -> Json: ...

    async def export(self, form: str) -> Json: ...

    async def history(self, since: float | None, limit: int) -> Json: ...

    async def undo(self, revision: str | None, *, expected: str | None, dry_run: bool) -> Json: ...

    async def restore_text(self, text: str, *, revision: str | None, dry_run: bool) -> Json: ...

    async def backup(self) -> Json: ...

    async def rotate(self, pool_id: str | None, *, to: str | None, rest: float | None) -> Json: ...

    async def complete(self, request: chat.ChatRequest, options: chat.CompletionOptions, sink: Sink) -> Json:
        """The result always holds the whole answer in ``message`` (a ``chat.Message``), and an error may hold the partial one in
        ``data["message"]``: the roof takes out what has gone out as progress. Cancelled by cancelling the task; ``errors.Cancelled`` may be raised then, to tell attempts and usage."""

    async def retry_now(self, request_id: str) -> None: ...

    async def skip(self, request_id: str) -> None: ...

    async def why(self, request_id: str) -> Json: ...

    async def dry_run(self, request: chat.ChatRequest, options: chat.CompletionOptions, sink: Sink) -> Json:
        """Who would answer this request now; it is not sent."""

    async def stats(self, since: float | None, group_by: str) -> Json: ...


class Context(Protocol):
    """What a handler may ask of the connection it serves."""

    def new_request_id(self) -> str: ...

    def sink(self, token: str | int | None, request_id: str) -> Sink:
        """Where the answer goes; with no token it goes nowhere but into the result."""

    def progress(self, token: str | int | None, value: Json) -> None: ...


P = TypeVar("P", bound=BaseModel)
Handler: TypeAlias = Callable[[Application, P, Context], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Method:
    """One row. ``summary`` goes into the written contract."""

    params: type[BaseModel]
    result: type[BaseModel]
    handle: Handler[Any]
    summary: str


async def status(app: Application, _: m.Empty, __: Context) -> Any:
    return await app.status()


async def providers(app: Application, _: m.Empty, __: Context) -> Any:
    return await app.providers()


async def get_profile(app: Application, params: m.ById, _: Context) -> Any:
    return await app.profile(params.id)


async def save_profile(app: Application, params: m.SaveProfile, _: Context) -> Any:
    return await app.save_profile(
        params.profile,
        _secrets(params.api_key, params.secrets),
        revision=params.config_revision,
        approve_origin=params.approve_origin,
    )


async def duplicate_profile(app: Application, params: m.DuplicateProfile, _: Context) -> Any:
    return await app.duplicate_profile(params.id, params.new_id)


async def delete_profile(app: Application, params: m.DeleteById, _: Context) -> Any:
    return await app.delete_profile(params.id, revision=params.config_revision)


async def restore_profile(app: Application, params: m.ById, _: Context) -> Any:
    return await app.restore_profile(params.id)


async def set_enabled(app: Application, params: m.SetEnabled, _: Context) -> Any:
    return await app.set_enabled(params.id, params.enabled)


async def dismiss(app: Application, params: m.Dismiss, _: Context) -> Any:
    await app.dismiss(params.ids)
    return {}


async def reset_profile(app: Application, params: m.ById, _: Context) -> Any:
    return await app.reset_profile(params.id)


async def test_profile(app: Application, params: m.TestProfile, context: Context) -> Any:
    def report(stage: Json) -> None:
        context.progress(params.partial_result_token, {"kind": "stage", **stage})

    target = _target(params.id, params.profile)
    return await app.test_profile(target, _secrets(params.api_key, params.secrets), params.level, report)


async def list_models(app: Application, params: m.ListModels, _: Context) -> Any:
    target = _target(params.id, params.profile)
    return await app.models(target, _secrets(params.api_key, params.secrets), refresh=params.refresh)


async def save_pool(app: Application, params: m.SavePool, _: Context) -> Any:
    return await app.save_pool(params.pool, revision=params.config_revision)


async def delete_pool(app: Application, params: m.DeleteById, _: Context) -> Any:
    return await app.delete_pool(params.id, revision=params.config_revision)


async def rename_profile(app: Application, params: m.Rename, _: Context) -> Any:
    return await app.rename_profile(params.id, params.new_id, revision=params.config_revision)


async def rename_pool(app: Application, params: m.Rename, _: Context) -> Any:
    return await app.rename_pool(params.id, params.new_id, revision=params.config_revision)


async def get_settings(app: Application, _: m.Empty, __: Context) -> Any:
    return await app.settings()


async def save_settings(app: Application, params: m.SaveSettings, _: Context) -> Any:
    return await app.save_settings(params.defaults, revision=params.config_revision)


async def import_text(app: Application, params: m.Import, _: Context) -> Any:
    return await app.import_text(
        params.text,
        pool=params.pool,
        dry_run=params.dry_run,
        approve_origin=params.approve_origin,
        revision=params.config_revision,
    )


async def export(app: Application, params: m.Export, _: Context) -> Any:
    return await app.export(params.format)


async def history(app: Application, params: m.History, _: Context) -> Any:
    return await app.history(_epoch(params.since, "since"), params.limit)


async def undo(app: Application, params: m.Undo, _: Context) -> Any:
    return await app.undo(params.revision, expected=params.config_revision, dry_run=params.dry_run)


async def restore(app: Application, params: m.Restore, _: Context) -> Any:
    return await app.restore_text(params.text, revision=params.config_revision, dry_run=params.dry_run)


async def backup(app: Application, _: m.Empty, __: Context) -> Any:
    return await app.backup()


async def rotate(app: Application, params: m.Rotate, _: Context) -> Any:
    return await app.rotate(params.pool, to=params.to, rest=params.rest)


async def complete(app: Application, params: m.Complete, context: Context) -> Any:
    options = _options(params, context.new_request_id())
    request = chat_request(params)
    sink = context.sink(params.partial_result_token, options.request_id)
    if params.partial_result_token is None:
        return await app.complete(request, options, sink)
    try:
        return _without_text(await app.complete(request, options, sink))
    except RoorouteError as wrong:
        wrong.data.pop("message", None)
        raise


async def retry_now(app: Application, params: m.ByRequest, _: Context) -> Any:
    await app.retry_now(params.request_id)
    return {}


async def skip(app: Application, params: m.ByRequest, _: Context) -> Any:
    await app.skip(params.request_id)
    return {}


async def why(app: Application, params: m.ByRequest, _: Context) -> Any:
    return await app.why(params.request_id)


async def dry_run(app: Application, params: m.DryRun, context: Context) -> Any:
    options = _options(params, context.new_request_id())
    return await app.dry_run(chat_request(params), options, context.sink(None, options.request_id))


async def stats(app: Application, params: m.Stats, _: Context) -> Any:
    return await app.stats(_epoch(params.since, "since"), params.group_by)


METHODS: Final[Mapping[str, Method]] = {
    "rooroute/status": Method(m.Empty, m.Status, status, "Everything a status view shows."),
    "rooroute/providers": Method(m.Empty, m.Providers, providers, "The vendors and what a wizard asks for each."),
    "rooroute/profiles/get": Method(m.ById, m.ProfileAsSaved, get_profile, "One profile as it was saved."),
    "rooroute/profiles/save": Method(m.SaveProfile, m.ProfileSaved, save_profile, "Create or change a profile."),
    "rooroute/profiles/duplicate": Method(
        m.DuplicateProfile, m.ProfileSaved, duplicate_profile, "Copy a profile, its secret along on the server's side."
    ),
    "rooroute/profiles/delete": Method(m.DeleteById, m.Deleted, delete_profile, "Delete a profile and its secret."),
    "rooroute/profiles/restore": Method(
        m.ById, m.ProfileSaved, restore_profile, "Undo a deletion, for ten minutes after it."
    ),
    "rooroute/profiles/rename": Method(
        m.Rename, m.ProfileSaved, rename_profile, "Give a profile another id, in the pools and for its secret too."
    ),
    "rooroute/profiles/setEnabled": Method(m.SetEnabled, m.ProfileChanged, set_enabled, "Switch a profile on or off."),
    "rooroute/profiles/reset": Method(m.ById, m.ProfileChanged, reset_profile, "Forget a profile's marks."),
    "rooroute/profiles/dismiss": Method(
        m.Dismiss, m.Empty, dismiss, "Tell no more that these profiles seem to share a quota."
    ),
    "rooroute/profiles/test": Method(
        m.TestProfile,
        m.Tested,
        test_profile,
        "Try a profile, saved or draft; its stages come as progress of kind stage.",
    ),
    "rooroute/profiles/models": Method(m.ListModels, m.Models, list_models, "The models a profile can be asked for."),
    "rooroute/pools/save": Method(m.SavePool, m.PoolSaved, save_pool, "Create or change a pool."),
    "rooroute/pools/delete": Method(m.DeleteById, m.Deleted, delete_pool, "Delete a pool; its profiles stay."),
    "rooroute/pools/rename": Method(m.Rename, m.PoolSaved, rename_pool, "Give a pool another id."),
    "rooroute/settings/get": Method(
        m.Empty, m.Settings, get_settings, "What holds where no profile or pool says more."
    ),
    "rooroute/settings/save": Method(m.SaveSettings, m.Settings, save_settings, "Change what holds for all."),
    "rooroute/import": Method(
        m.Import, m.Imported, import_text, "Bring in a configuration of rooroute's own or another program's."
    ),
    "rooroute/export": Method(m.Export, m.Exported, export, "The configuration as text, without secrets."),
    "rooroute/history": Method(m.History, m.HistoryEntries, history, "What changed in the configuration, and when."),
    "rooroute/undo": Method(m.Undo, m.Undone, undo, "Put a former configuration back."),
    "rooroute/backup": Method(m.Empty, m.BackedUp, backup, "The configuration file as it stands, comments and all."),
    "rooroute/restore": Method(m.Restore, m.Restored, restore, "Make a backup the configuration again."),
    "rooroute/rotate": Method(
        m.Rotate, m.Rotated, rotate, "Move this window to the next profile that can serve; running answers go on."
    ),
    "rooroute/complete": Method(m.Complete, m.Completed, complete, "Get a request answered, streaming with a token."),
    "rooroute/requests/retryNow": Method(m.ByRequest, m.Empty, retry_now, "Try now what a waiting request waits for."),
    "rooroute/requests/skip": Method(m.ByRequest, m.Empty, skip, "Stop waiting for the profile being waited for."),
    "rooroute/why": Method(m.ByRequest, m.Why, why, "Why a request went where it went."),
    "rooroute/dryRun": Method(
        m.DryRun, m.DryRunResult, dry_run, "Who would answer a request, and why; it is not sent."
    ),
    "rooroute/stats": Method(m.Stats, m.StatsRows, stats, "Counts, times, tokens and cost."),
}


def _secrets(api_key: str | None, slots: Mapping[str, str]) -> dict[str, str]:
    return {**slots, **({"apiKey": api_key} if api_key is not None else {})}


def _target(profile_id: str | None, profile: Profile | None) -> str | Profile:
    if (profile_id is None) == (profile is None):
        raise InvalidInput("Give either the id of a saved profile or a draft in profile.", field="id")
    return profile if profile is not None else str(profile_id)


def _epoch(text: str | None, field: str) -> float | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidInput(f"{field} is not a time; write it as 2026-01-31T12:00:00Z.", field=field)
    return moment.timestamp()


def _options(params: m.Complete, request_id: str) -> chat.CompletionOptions:
    if params.pool is not None and params.profile is not None:
        raise InvalidInput("Both pool and profile are given; leave one of them out.", field="profile")
    return chat.CompletionOptions(
        request_id=request_id,
        pool=params.pool,
        profile=params.profile,
        model=params.model,
        session=params.session,
        on_interrupt=params.on_interrupt,
        fallback=params.fallback,
        metadata=params.metadata,
        mode=params.mode,
        task=params.task,
        language=params.language,
        tags=checked_tags(params.tags, "tags"),
        region=params.region,
        consent=params.consent,
        pin=params.pin,
    )


def _without_text(result: Json) -> Json:
    """The text went out as progress; thinking stays, since its signatures belong to exactly these words."""
    message = result.get("message")
    if not isinstance(message, chat.Message):
        return result
    content = message.content
    kept = "" if isinstance(content, str) else tuple(p for p in content if not isinstance(p, chat.TextPart))
    return {**result, "message": replace(message, content=kept)}
