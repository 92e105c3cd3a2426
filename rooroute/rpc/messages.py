"""Every message of the protocol as pydantic models: the one place where JSON from outside becomes values, and the source of the schema.

Fields are camelCase outside; an unknown field is an error that names it, except inside ``metadata``, ``providerOptions`` and JSON
Schemas. Results and notifications are sent as plain dicts and never pass through these models (nothing pydantic per delta); they are
written down here for the generated contract, and tests hold what a server sends against them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Strict, Tag

from rooroute.chat import ImagePart, TextPart, ThinkingPart, Tool, ToolCall, ToolChoiceName, Usage
from rooroute.profiles import Defaults, OnInterrupt, Pool, Price, Profile, Source, Strategy, camel

Json: TypeAlias = dict[str, Any]
Whole = Annotated[int, Strict()]
Number = Annotated[float, Strict()]
Flag = Annotated[bool, Strict()]
Token = Annotated[
    Annotated[str, Tag("<word>")] | Annotated[Whole, Tag("<number>")],
    Discriminator(lambda value: "<word>" if isinstance(value, str) else "<number>"),
]
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"}, description="RFC 3339, UTC.")]


class Shape(BaseModel):
    """An object whose fields are all known."""

    model_config = ConfigDict(
        alias_generator=camel,
        extra="forbid",
        hide_input_in_errors=True,
        allow_inf_nan=False,
        frozen=True,
        use_attribute_docstrings=True,
    )


class Empty(Shape):
    """No fields."""


# --- the conversation -------------------------------------------------------------------------------------------------------------


def _part_kind(value: Any) -> str | None:
    """The angle brackets keep the names of alternatives apart from the names of fields where errors are told."""
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return f"<{kind}>" if isinstance(kind, str) else None


def _text_or_parts(value: Any) -> str:
    return "<parts>" if isinstance(value, list | tuple) else "<text>"


def _word_or_name(value: Any) -> str:
    return "<word>" if isinstance(value, str) else "<name>"


Part = Annotated[
    Annotated[TextPart, Tag("<text>")]
    | Annotated[ImagePart, Tag("<image>")]
    | Annotated[ThinkingPart, Tag("<thinking>")],
    Discriminator(_part_kind),
]
Content = Annotated[
    Annotated[str, Tag("<text>")] | Annotated[list[Part], Tag("<parts>")], Discriminator(_text_or_parts)
]
Choice = Annotated[
    Annotated[Literal["auto", "none", "required"], Tag("<word>")] | Annotated[ToolChoiceName, Tag("<name>")],
    Discriminator(_word_or_name),
]


class Message(Shape):
    """One turn. ``toolCallId`` says which call a message of role ``tool`` answers."""

    role: Literal["system", "user", "assistant", "tool"]
    content: Content = ""
    tool_calls: list[ToolCall] = []
    tool_call_id: str | None = None
    is_error: Flag = False


class ResponseFormat(Shape):
    """``json``: any JSON object. ``jsonSchema``: one that ``schema`` describes, called ``name``."""

    type: Literal["json", "jsonSchema"]
    name: str | None = None
    json_schema: Json | None = Field(default=None, alias="schema")


# --- params -----------------------------------------------------------------------------------------------------------------------


class ById(Shape):
    id: str


class SaveProfile(Shape):
    """``apiKey`` is short for the secret slot of that name; ``${NAME}`` there stores a reference to an environment variable."""

    profile: Profile
    api_key: str | None = None
    secrets: dict[str, str] = {}
    config_revision: str | None = None
    """The revision this edit began from; a stale one is a conflict. Left out: the edit applies whatever the file holds."""
    approve_origin: Flag = False
    """The user has seen and approved that the key goes to this address, plain http or changed."""


class DuplicateProfile(Shape):
    id: str
    new_id: str | None = None


class DeleteById(Shape):
    id: str
    config_revision: str | None = None


class Dismiss(Shape):
    """The profiles of a suggestion that shall not be told again, two at least."""

    ids: list[str]


class SetEnabled(Shape):
    id: str
    enabled: Flag


class TestProfile(Shape):
    """A saved profile by ``id``, or a draft in ``profile`` with its key beside it."""

    __test__ = False  # not a test, whatever pytest thinks of its name

    id: str | None = None
    profile: Profile | None = None
    api_key: str | None = None
    secrets: dict[str, str] = {}
    level: Literal["connect", "auth", "completion"] = "auth"
    partial_result_token: Token | None = None


class ListModels(Shape):
    """A saved profile by ``id``, or a draft in ``profile`` with its key beside it."""

    id: str | None = None
    profile: Profile | None = None
    api_key: str | None = None
    secrets: dict[str, str] = {}
    refresh: Flag = False


class SavePool(Shape):
    pool: Pool
    config_revision: str | None = None


class Rename(Shape):
    id: str
    new_id: str
    config_revision: str | None = None


class SaveSettings(Shape):
    """``defaults`` as a whole: a field that is left out has its default again."""

    defaults: Defaults
    config_revision: str | None = None
    """The revision this edit began from; a stale one is a conflict. Left out: the edit applies whatever the file holds."""


class Rotate(Shape):
    """``rest`` in seconds also rests the profile left; ``to`` names the one to go to."""

    pool: str | None = None
    to: str | None = None
    rest: Annotated[Number, Field(gt=0, le=35 * 86400)] | None = None


class Complete(Shape):
    """One request for an answer; ``pool`` or ``profile``, or neither for the default pool."""

    messages: Annotated[list[Message], Field(min_length=1)]
    pool: str | None = None
    profile: str | None = None
    model: str | None = None
    tools: list[Tool] = []
    tool_choice: Choice | None = None
    max_tokens: Annotated[Whole, Field(gt=0)] | None = None
    temperature: Annotated[Number, Field(ge=0)] | None = None
    top_p: Annotated[Number, Field(ge=0, le=1)] | None = None
    stop: list[str] = []
    seed: Whole | None = None
    reasoning_effort: Literal["minimal", "low", "medium", "high"] | None = None
    response_format: ResponseFormat | None = None
    provider_options: Json = {}
    metadata: Json = {}
    session: str | None = None
    on_interrupt: OnInterrupt | None = None
    fallback: Flag | None = None
    mode: str | None = None
    task: str | None = None
    language: str | None = None
    tags: list[str] = []
    region: str | None = None
    """Binds the request to profiles of that region; it never leaves it."""
    consent: Literal["once", "session"] | None = None
    """The user's yes to the pool's last resort, for this request or for this window's session."""
    pin: Flag = False
    """Keep the session with the profile that answers this request."""
    partial_result_token: Token | None = None


class ByRequest(Shape):
    request_id: str


class Stats(Shape):
    since: Time | None = None
    group_by: Literal["profile", "provider", "model", "day", "tag", "pool"] = "profile"


class Import(Shape):
    """A configuration as text: rooroute's own, Loom's, LiteLLM's or the simple guide's. ``pool`` names the pool that its routing goes to."""

    text: str
    pool: str | None = None
    dry_run: Flag = False
    """Tell what would be done, and do nothing."""
    approve_origin: Flag = False
    """The user has seen and approved the addresses in it, plain http or changed."""
    config_revision: str | None = None
    """The revision that a dry run told of; a stale one is a conflict."""


class Export(Shape):
    """``litellm`` is a ``config.yaml`` for its proxy."""

    format: Literal["yaml", "json", "litellm"] = "yaml"


class History(Shape):
    since: Time | None = None
    limit: Annotated[Whole, Field(ge=1, le=1000)] = 100


class Undo(Shape):
    """``revision`` is the one to go back to, or its beginning; without it the one before the last change."""

    revision: str | None = None
    config_revision: str | None = None
    dry_run: Flag = False
    """Tell what would change, and do nothing."""


class Restore(Shape):
    """``text`` is a backup, or any text of rooroute's own form; it becomes the whole configuration."""

    text: str
    config_revision: str | None = None
    dry_run: Flag = False
    """Tell what would change, and do nothing."""


class ReadSecret(Shape):
    profile_id: str
    slot: str


class WriteSecret(ReadSecret):
    value: str


# --- results ----------------------------------------------------------------------------------------------------------------------

ProfileState = Literal["active", "cooldown", "failed", "disabled"]


class Problem(Shape):
    """Something the user should mend. ``line`` is 1-based in the configuration file. A suggestion that the user may not want to hear again
    names in ``dismissible`` the profiles to dismiss it for."""

    message: str
    field: str | None = None
    remedy: str | None = None
    profile_id: str | None = None
    line: int | None = None
    dismissible: list[str] | None = None


class MarkStatus(Shape):
    """One judgement that covers a profile, perhaps for one model only."""

    scope: Literal["endpoint", "domain", "profile"]
    state: Literal["watched", "cooldown", "failed"]
    fault: str
    holder: str | None = None
    model: str | None = None
    reason: str | None = None
    since: Time | None = None
    until: Time | None = None
    hinted: bool | None = None


class ProfileFigures(Shape):
    """Cost in USD."""

    requests: int
    success_rate: float | None = None
    median_first_token_ms: float | None = None
    p95_first_token_ms: float | None = None
    input_tokens: int
    output_tokens: int
    cost: float | None = None


class QuotaStatus(Shape):
    """What the provider said is left, as of its last answer."""

    measure: str
    limit: float | None = None
    remaining: float
    resets_at: Time | None = None


class LimitStatus(Shape):
    """A limit the user set. ``holder`` is ``profile``, ``pool`` or ``tag`` and ``id`` its name; ``span`` is second, minute, hour, day,
    calendarDay, month or (of requests at once) now. ``warning``: 80 % are used. Of requests per second ``rate`` is how many, and ``most``
    how many of them may come at once."""

    holder: Literal["profile", "pool", "tag"]
    id: str
    measure: Literal["requests", "tokens", "cost", "concurrent"]
    span: str
    most: float
    used: float
    left: float
    resets_at: Time | None = None
    warning: bool
    rate: float | None = None


class ProfileHealth(Shape):
    """By its last health check (``source`` ``check``) where the user wants checks, else by its last request. ``degraded``: fewer checks
    have failed in a row than make it unhealthy. ``sends`` says what a check sends and costs."""

    source: Literal["check", "request"]
    status: Literal["healthy", "degraded", "unhealthy", "unknown"]
    latency_ms: float | None = None
    last_check: Time | None = None
    error: str | None = None
    failures: int | None = None
    sends: str | None = None


class ProfileStatus(Shape):
    """What a user sees of a profile."""

    id: str
    name: str
    provider: str
    model: str | None = None
    state: ProfileState
    reason: str | None = None
    until: Time | None = None
    remedy: str | None = None
    probing: bool | None = None
    secret: Literal["keyring", "environment", "session", "client", "command", "missing", "notNeeded", "unchecked"]
    last_used: Time | None = None
    last_error: str | None = None
    key_saved_at: Time | None = None
    """When the key was last saved, so that a client can tell its age."""
    notes: str | None = None
    context_window: int | None = None
    """Tokens the profile's model takes, where known; with the next four, what a client may offer to others as a model."""
    max_tokens: int | None = None
    supports_tools: bool | None = None
    supports_images: bool | None = None
    price: Price | None = None
    context_window_source: Source | None = None
    price_source: Source | None = None
    """Who says so: the profile itself, its server, or the offline table of prices. What is merely assumed is not told here."""
    marks: list[MarkStatus] = []
    stats: ProfileFigures | None = None
    health: ProfileHealth | None = None
    quotas: list[QuotaStatus] = []
    limits: list[LimitStatus] = []


class PoolStatus(Shape):
    """``current`` is where this window's next request goes, ``until`` when somebody returns if nobody can serve now."""

    id: str
    name: str
    strategy: Strategy
    profiles: list[str]
    state: Literal["active", "cooldown", "failed", "empty"]
    current: str | None = None
    until: Time | None = None
    reason: str | None = None
    probes: str | None = None
    """What its latency probes send, how often, and what that costs; only where the user has switched them on."""
    prices: str | None = None
    """Whose prices it goes by, where it goes by cost and the user did not type all of them."""
    saved: Pool | None = None
    """The pool as it was saved, for editing; null for one that exists only because nothing was saved (every profile in order)."""


class Status(Shape):
    now: Time
    config_revision: str
    state_revision: int
    secret_store: Literal["keyring", "session", "client", "unchecked"]
    """"unchecked" until the keyring was tried, which begins by itself and may wait for the user to unlock it."""
    profiles: list[ProfileStatus]
    pools: list[PoolStatus]
    problems: list[Problem]
    config_path: str | None = None
    """The configuration file, on the machine that runs the server."""
    default_pool: str | None = None
    """Where a request that names no pool goes."""
    limits: list[LimitStatus] = []
    """Of pools and tags; a profile's own stand with the profile."""


class Removed(Shape):
    profiles: list[str]
    pools: list[str]


class StatusChanged(Shape):
    """Only what changed, also when another window changed it."""

    now: Time
    config_revision: str
    state_revision: int
    profiles: list[ProfileStatus]
    pools: list[PoolStatus]
    removed: Removed
    secret_store: Literal["keyring", "session", "client", "unchecked"] | None = None
    problems: list[Problem] | None = None
    limits: list[LimitStatus] | None = None


class PriceRange(Shape):
    """From the cheapest to the dearest model, in USD per million tokens."""

    input: tuple[float, float]
    output: tuple[float, float]


class ProviderInfo(Shape):
    """What a wizard needs to ask for a profile of this vendor, and what helps to choose one: ``capabilities`` and ``regions`` in words,
    the largest window (tokens) and the prices of its models where a table of prices is installed."""

    id: str
    name: str
    fields: list[Json]
    presets: list[Json]
    documentation: str | None = None
    capabilities: list[str] = []
    regions: str | None = None
    largest_window: int | None = None
    price: PriceRange | None = None
    key_page: str | None = None
    status_page: str | None = None


class Providers(Shape):
    providers: list[ProviderInfo]


class ProfileAsSaved(Shape):
    profile: Profile
    config_revision: str


class ProfileSaved(Shape):
    profile: ProfileStatus
    config_revision: str


class ProfileChanged(Shape):
    profile: ProfileStatus


class Deleted(Shape):
    """The pools and rules that used it; a deleted profile can be restored for ten minutes."""

    pools: list[str]
    rules: list[str] = []
    config_revision: str


class Stage(Shape):
    name: str
    ok: bool
    duration_ms: float
    detail: str | None = None
    remedy: str | None = None
    field: str | None = None
    """The field of the profile that it is about: ``healthCheck.sends``."""


class Tested(Shape):
    """``curl`` is the last request of the test as a command for a shell, the key left out as ``$API_KEY``."""

    ok: bool
    stages: list[Stage]
    curl: str | None = None
    status_page: str | None = None


class ModelInfo(Shape):
    """Prices in USD per million tokens; ``assumed`` names the fields that nobody told: a documented default stands there."""

    id: str
    name: str | None = None
    context_window: int | None = None
    max_tokens: int | None = None
    supports_images: bool | None = None
    supports_tools: bool | None = None
    supports_prompt_cache: bool | None = None
    input_price: float | None = None
    output_price: float | None = None
    supports_computer_use: bool | None = None
    cache_read_price: float | None = None
    cache_write_price: float | None = None
    assumed: list[str] = []


class Models(Shape):
    """``fetchedAt`` is left out where the server was never heard: ``models`` are then the profile's own. ``problem`` tells why a newer
    list could not be had, or that the profile's model is not in it."""

    models: list[ModelInfo]
    fetched_at: Time | None = None
    stale: bool
    problem: Problem | None = None


class Settings(Shape):
    """What holds where neither profile nor pool says otherwise, as it was saved; a field without a value is left out."""

    defaults: Defaults
    config_revision: str


class PoolSaved(Shape):
    pool: PoolStatus
    config_revision: str


class Rotated(Shape):
    from_: str | None = Field(default=None, alias="from")
    to: str


class Attempt(Shape):
    """``verdict`` is ``ok`` or the class of the failure."""

    n: int
    profile_id: str
    model: str
    verdict: str
    http_status: int | None = None
    detail: str | None = None
    first_token_ms: float | None = None
    duration_ms: float
    usage: Usage | None = None


class Completed(Shape):
    """``message`` is ready to be appended to the conversation; its text is left out where it went out as progress. ``cost`` in USD."""

    request_id: str
    profile_id: str
    model: str
    finish_reason: Literal["stop", "length", "toolCalls", "contentFilter", "other"]
    message: Message
    usage: Usage
    cost: float | None = None
    attempts: list[Attempt]


class Candidate(Shape):
    profile_id: str
    excluded_by: str | None = None
    rank: int | None = None


class DryRun(Complete):
    """A request that is not sent: who would answer it, and why."""


class RuleTried(Shape):
    """``unmet`` names the first condition that the request does not meet."""

    name: str
    fires: bool
    unmet: str | None = None


class DryRunResult(Shape):
    """``profileId`` is left out where nobody could answer now; ``reason`` then says why and what helps, in the words of the error that the
    request would end with."""

    profile_id: str | None = None
    reason: str | None = None
    because: str | None = None
    rule: str | None = None
    rules: list[RuleTried]
    strategy: str
    region: str | None = None
    estimated_tokens: int
    estimated_cost: float | None = None
    price_source: Source | None = None
    candidates: list[Candidate]


class AttemptExplained(Attempt):
    """``rawError`` is the provider's own words and ``curl`` the request as it was sent, both without keys; the latter is known only to
    the server that sent it, for its latest requests. ``taught`` are the marks that followed; ``notice`` is what the answer said beside
    the answer, as that its model is to be retired."""

    cost: float | None = None
    """USD; ``priceSource`` says by whose price."""
    price_source: Source | None = None
    raw_error: str | None = None
    notice: str | None = None
    curl: str | None = None
    taught: list[MarkStatus] = []


class Why(Shape):
    """``because`` says why the first profile was chosen, ``switchCost`` (USD) what leaving the session's warm prompt cache cost, or would
    have cost where the session stays for that. Of a
    large pool only the first candidates are told; ``moreCandidates`` counts the others."""

    request: Json
    candidates: list[Candidate]
    more_candidates: int = 0
    rule: str | None = None
    strategy: str
    because: str | None = None
    region: str | None = None
    switch_cost: float | None = None
    attempts: list[AttemptExplained]


class StatsRow(Shape):
    """``requests`` counts what was asked, ``attempts`` how often; rates leave out what was the caller's own doing. Costs in USD."""

    key: str
    requests: int
    attempts: int | None = None
    successes: int | None = None
    success_rate: float | None = None
    error_rate: float | None = None
    uptime: float | None = None
    """The share of the minutes with an attempt in which somebody was answered."""
    average_first_token_ms: float | None = None
    median_first_token_ms: float | None = None
    p90_first_token_ms: float | None = None
    p95_first_token_ms: float | None = None
    p99_first_token_ms: float | None = None
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost: float | None = None
    cost_per_month: float | None = None
    """What 30 days would cost if they went on like this; told of a day or more."""
    price_sources: list[Source] = []
    """By whose prices ``cost`` was reckoned."""
    last_at: Time | None = None


class StatsRows(Shape):
    rows: list[StatsRow]


class ImportedEntry(Shape):
    id: str
    change: Literal["new", "changed"]


class ImportedProfile(ImportedEntry):
    key: Literal["keyring", "session", "client", "environment", "none", "notKept"]
    """Where its key is. ``notKept``: there was one, and no place to keep it."""


class KeyTaken(Shape):
    """``where`` is the profile or pool and the field that this key of the text acts in."""

    key: str
    where: str


class KeyLeftOut(Shape):
    key: str
    reason: str


class Imported(Shape):
    """What became of every key of the text."""

    form: Literal["loom", "litellm", "roocode", "rooroute"]
    profiles: list[ImportedProfile]
    pools: list[ImportedEntry]
    defaults: list[str] = []
    """The fields of the defaults that change; only a configuration of rooroute's own has any."""
    taken: list[KeyTaken]
    left_out: list[KeyLeftOut]
    remarks: list[str]
    config_revision: str


class Exported(Shape):
    """``leftOut`` tells in sentences what is not in the text, and why."""

    text: str
    left_out: list[str]


class HistoryEntry(Shape):
    """``at`` is when this text became the configuration, ``changes`` what it changed of the one before."""

    revision: str
    at: Time
    changes: list[str]
    current: bool


class HistoryEntries(Shape):
    entries: list[HistoryEntry]


class Undone(Shape):
    """``gone`` are the profiles that are no longer there; undoing this within ten minutes brings them back with their keys."""

    revision: str
    at: Time
    changes: list[str]
    gone: list[str]
    config_revision: str


class Restored(Shape):
    """``changes`` are what the text changed of the configuration before it. ``gone`` are the profiles that are no longer there; ``undo``
    within ten minutes brings them back with their keys."""

    changes: list[str]
    gone: list[str]
    config_revision: str


class BackedUp(Shape):
    """The configuration file as it stands, comments and all; keys are not in it."""

    text: str
    config_revision: str


class SecretValue(Shape):
    """``value`` is null where the client holds none."""

    value: str | None


# --- progress ---------------------------------------------------------------------------------------------------------------------


class AttemptBegun(Shape):
    kind: Literal["attempt"]
    request_id: str
    n: int
    profile_id: str
    model: str
    why: str


class TextArrived(Shape):
    kind: Literal["text"]
    text: str


class ThinkingArrived(Shape):
    kind: Literal["thinking"]
    text: str
    signature: str | None = None


class ToolCallArrived(Shape):
    kind: Literal["toolCall"]
    index: int
    id: str | None = None
    name: str | None = None
    arguments_delta: str | None = None
    signature: str | None = None


class Waiting(Shape):
    """Nobody can serve before ``until`` (null: not known); ``requests/retryNow`` and ``requests/skip`` end the wait."""

    kind: Literal["waiting"]
    request_id: str
    until: Time | None
    now: Time
    profile_ids: list[str]


class Reset(Shape):
    """Drop what this request delivered so far; attempt ``n`` begins anew."""

    kind: Literal["reset"]
    n: int


class UsageSeen(Shape):
    """Cumulative: the last one counts."""

    kind: Literal["usage"]
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    estimated: bool


class StageDone(Stage):
    """One stage of ``profiles/test``."""

    kind: Literal["stage"]


ProgressValue = Annotated[
    AttemptBegun | TextArrived | ThinkingArrived | ToolCallArrived | Waiting | Reset | UsageSeen | StageDone,
    Field(discriminator="kind"),
]


class Progress(Shape):
    """``token`` is the request's ``partialResultToken``; the order is the order of delivery."""

    token: Token
    value: ProgressValue


# --- errors -----------------------------------------------------------------------------------------------------------------------


class ErrorProfile(Shape):
    id: str
    state: ProfileState
    reason: str | None = None
    until: Time | None = None
    remedy: str | None = None


class ConsentWanted(Shape):
    """Whose last resort (``pool``) could answer, and which profile that is (``profileId``)."""

    profile_id: str
    pool: str


class ErrorData(BaseModel):
    """``kind`` is always there; the rest where it applies. ``message`` is the partial answer where no token was given."""

    model_config = ConfigDict(alias_generator=camel, extra="allow", hide_input_in_errors=True)

    kind: str
    field: str | None = None
    request_id: str | None = None
    retry_at: Time | None = None
    now: Time | None = None
    profiles: list[ErrorProfile] | None = None
    attempts: list[Attempt] | None = None
    message: Message | None = None
    consent: ConsentWanted | None = None
    """What only the last resort could answer waits for: ask again with ``consent``."""
    reference: str | None = None
    """Where an internal error is found in the server's log."""
