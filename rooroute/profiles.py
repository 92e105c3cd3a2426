"""The one schema of what the user decides: profiles, pools and their defaults.

The config file, the protocol and the command line all derive theirs from these dataclasses (pydantic reads them as they are; camelCase
outside, snake_case inside, unknown fields refused). Times are seconds, prices USD per million tokens. Nothing here is ever a secret:
``api_key`` and ``secrets`` hold only references (``${NAME}`` or ``os.environ/NAME``), a literal key lives in the keyring.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Final

from rooroute.secret import is_loopback


def camel(name: str) -> str:
    """snake_case to camelCase: the spelling of every field outside Python."""
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


SCHEMA: Final[dict[str, Any]] = {
    "alias_generator": camel,
    "validate_by_name": False,
    "validate_by_alias": True,
    "extra": "forbid",
    "hide_input_in_errors": True,
}

CHECKED_PATH: Final = re.compile(r"/|/?(?!.*(?:\.\.|//))[\w.~%-][\w.~%/?&=@:+,;-]*", re.ASCII)
REFERENCE: Final = re.compile(r"^(?:\$\{([A-Za-z_][A-Za-z0-9_]*)\}|os\.environ/([A-Za-z_][A-Za-z0-9_]*))$")


class Strategy(StrEnum):
    """In which order the profiles of one tier are tried; ``routing.strategies`` has a function for each."""

    PRIORITY = "priority"
    ROUND_ROBIN = "round_robin"
    WEIGHTED = "weighted"
    COST = "cost"
    LATENCY = "latency"
    LEAST_BUSY = "least_busy"
    MODEL = "model"


class Need(StrEnum):
    """What a request cannot do without."""

    TOOLS = "tools"
    IMAGES = "images"


class Consent(StrEnum):
    """Whether the last resort may be used: always, only after the user said so in this session, or not at all."""

    ALLOW = "allow"
    ASK = "ask"
    NEVER = "never"


class CooldownMode(StrEnum):
    """``hint_first``: the provider's time, else the configured one. ``max``: never shorter than configured. ``fixed``: exactly it."""

    HINT_FIRST = "hint_first"
    MAX = "max"
    FIXED = "fixed"


class Revert(StrEnum):
    """When to go back to a better profile that has recovered."""

    SESSION = "session"
    TURN = "turn"
    IMMEDIATE = "immediate"
    NEVER = "never"


class OnInterrupt(StrEnum):
    """What happens when an answer breaks off after its first delta."""

    STOP = "stop"
    RESTART = "restart"
    CONTINUE = "continue"


class AuthKind(StrEnum):
    """How a request proves who sends it, where it is not the vendor's usual way."""

    KEY_HEADER = "key-header"  # the key in a header of its own
    KEY_QUERY = "key-query"  # the key as a query parameter, added at the moment of sending
    BEARER = "bearer"
    BASIC = "basic"
    TOKEN_COMMAND = "token-command"  # a command prints a short-lived token, or a key from a vault
    OAUTH_CLIENT_CREDENTIALS = "oauth-client-credentials"
    MTLS = "mtls"  # a client certificate, besides the vendor's usual key if there is one
    SIGNATURE_COMMAND = "signature-command"  # a command signs each request


class TokenEndpointAuthMethod(StrEnum):
    """How a token endpoint is told the client's secret, by the registered names of RFC 7591, section 2."""

    BASIC = "client_secret_basic"  # in the header, as every endpoint must be able to take it
    POST = "client_secret_post"  # as a field of the form, for those that take it in no other way


@dataclass(frozen=True, slots=True, kw_only=True)
class Auth:
    """Declared authentication; ``providers.authentication`` says what each kind needs and where its secret goes.

    ``name`` is the header or query parameter and ``prefix`` what stands before the secret in it (None: the kind's usual ones).
    ``command`` is a program with its arguments, run without a shell, for at most ``timeout`` seconds; a token that does not tell its own
    end is used for ``lifetime`` seconds. ``certificate`` and ``certificate_key`` are paths of PEM files.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = SCHEMA
    kind: AuthKind
    name: str | None = None
    prefix: str | None = None
    username: str | None = None
    command: tuple[str, ...] = ()
    timeout: float = 10.0
    lifetime: float = 300.0
    token_url: str | None = None
    client_id: str | None = None
    token_endpoint_auth_method: TokenEndpointAuthMethod = TokenEndpointAuthMethod.BASIC
    scope: str | None = None
    audience: str | None = None
    certificate: str | None = None
    certificate_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretCommand:
    """A program with its arguments that prints a secret, a vault's client for instance: run without a shell, for at most ``timeout``
    seconds. What it printed is used for ``lifetime`` seconds where it does not tell its own end."""

    __pydantic_config__: ClassVar[dict[str, Any]] = SCHEMA
    command: tuple[str, ...]
    timeout: float = 10.0
    lifetime: float = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds. ``first_token`` runs from the request's sending, ``idle`` between two pieces, ``total`` over the whole answer."""

    __pydantic_config__: ClassVar[dict[str, Any]] = SCHEMA
    connect: float = 10.0
    first_token: float = 60.0
    idle: float = 60.0
    total: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """USD per million tokens."""

    __pydantic_config__: ClassVar[dict[str, Any]] = SCHEMA
    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most that may be asked within any second, minute, hour and day; None means no limit. Tokens count input and output.

    ``burst`` is how many requests may come at once where ``requests_per_second`` is set (None: a second's worth).
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = SCHEMA
    requests_per_second: float | None = None
    requests_per_minute: int | None = None
    requests_per_hour: int | None = None
    requests_per_day: int | None = None
    tokens_per_second: int | None = None
    tokens_per_minute: int | None = None
    tokens_per_hour: int | None = None
    tokens_per_day: int | None = None
    concurrent_requests: int | None = None
    burst: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """USD that may be spent per UTC day and per UTC calendar month; None means no limit."""

    __pydantic_config__: ClassVar[dict[str, Any]] = SCHEMA
    per_day: float | None = None
    per_month: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """The most a profile may cost, in USD per million tokens; one without a price is above every ceiling."""

    __pydantic_config__: ClassVar[dict[str, Any]] = SCHEMA
    input: float | None = None
    output: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failover:
    """``enabled`` False: the first choice or nobody. ``max_retries`` is how often one profile may be asked again within one request
    (None: once, where that may help); ``same_first`` asks the same one again before the next. ``retry_codes`` are HTTP statuses that
    send the request on although the answer blamed the request itself; all that blame the provider do so anyway."""

    __pydantic_config__: ClassVar[dict[str, Any]] = SCHEMA
    enabled: bool = True
    max_retries: int | None = None
    same_first: bool = False
    retry_codes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitBreaker:
    """``failure_threshold`` faults within a minute rest a profile for ``timeout`` seconds; ``success_threshold`` good answers after
    that clear its record."""

    __pydantic_config__: ClassVar[dict[str, Any]] = SCHEMA
    failure_threshold: int = 5
    success_threshold: int = 1
    timeout: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LastResort:
    """The profile asked when no other can answer: because of errors, because of limits, and with whose consent."""

    __pydantic_config__: ClassVar[dict[str, Any]] = SCHEMA
    profile: str
    on_error: bool = True
    on_rate_limit: bool = True
    consent: Consent = Consent.ALLOW


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """How speed is measured: the ``percentile`` (0 to 100) of the times to first token within the last ``window`` seconds.

    Every ``explore_every``-th request goes to whoever was not measured for longest (0: never), so that a slow moment is not for ever. Above
    ``too_slow`` seconds a profile goes behind the others whatever the strategy (None: never). Under the strategy ``latency`` a member that
    nobody has asked for ``probe_every`` seconds is asked a small question only to be measured, whose answer is paid for (None: never).
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = SCHEMA
    window: float = 300.0
    percentile: float = 95.0
    explore_every: int = 20
    too_slow: float | None = None
    probe_every: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """The conditions of a rule; those given must all be met, and a list is met by any of its entries (``needs`` and ``tags``: by all).

    ``model`` is the requested name (``*`` stands for anything), ``language`` the file's. ``contains`` (case aside), ``pattern`` (a regular
    expression) and the lengths in characters are about the last message of the user; the tokens about the whole request.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = SCHEMA
    model: tuple[str, ...] = ()
    mode: tuple[str, ...] = ()
    task: tuple[str, ...] = ()
    intent: tuple[str, ...] = ()
    needs: tuple[Need, ...] = ()
    contains: tuple[str, ...] = ()
    pattern: str | None = None
    min_length: int | None = None
    max_length: int | None = None
    min_tokens: int | None = None
    max_tokens: int | None = None
    language: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    region: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A request that meets ``when`` goes to ``profiles``, in the order of ``strategy`` (None: the pool's). The rest of the pool stands
    behind them unless ``only`` is set. ``region`` binds the request to profiles of that region, wherever it goes on to."""

    __pydantic_config__: ClassVar[dict[str, Any]] = SCHEMA
    name: str
    when: When = When()
    profiles: tuple[str, ...] = ()
    strategy: Strategy | None = None
    only: bool = False
    region: str | None = None


class CheckKind(StrEnum):
    """What a health check sends. ``list``: a GET, of the vendor's list of models or of ``HealthCheck.endpoint``; costs no tokens.
    ``completion``: a short question, whose answer of at most 16 tokens is paid for."""

    LIST = "list"
    COMPLETION = "completion"


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """Asks a profile's provider every ``interval`` seconds, by one window of the machine, whether it answers; each for ``timeout`` seconds.

    ``endpoint`` is a path: below the host where it begins with a slash, else below the base URL (None: the vendor's list of models).
    Any 2xx is healthy, or one of ``expect_status``; ``expect_body`` must stand in the answer. After ``failures`` failed checks in a row
    the profile rests until the next one.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = SCHEMA
    enabled: bool = False
    interval: float = 60.0
    timeout: float = 5.0
    sends: CheckKind = CheckKind.LIST
    endpoint: str | None = None
    expect_status: tuple[int, ...] = ()
    expect_body: str | None = None
    failures: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One saved API configuration.

    ``provider`` names a row of the provider table; ``models`` restricts what it may be asked for (empty: anything); ``model_map`` turns a
    requested model's name into this profile's own. ``key_saved_at`` (RFC 3339) is written whenever a key goes into the keyring: it
    is the key's age, and the change in the file by which other windows learn to read the key again. ``secret_commands`` are, by slot, the
    programs that print what is kept nowhere. ``domain`` names a quota that several profiles share. ``options`` holds the vendor's
    own fields (organization, project, apiVersion, deployments, location, …). ``max_retries`` is the profile's own say over
    ``Failover.max_retries``; ``supports_tools`` and ``supports_images`` False keep requests away that need them (None: not known).
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = SCHEMA
    id: str
    provider: str
    name: str | None = None
    model: str | None = None
    models: tuple[str, ...] = ()
    model_map: Mapping[str, str] = field(default_factory=dict)
    base_url: str | None = None
    api_key: str | None = None
    secrets: Mapping[str, str] = field(default_factory=dict)
    secret_commands: Mapping[str, SecretCommand] = field(default_factory=dict)
    key_saved_at: str | None = None
    cooldown: float | None = None
    enabled: bool = True
    domain: str | None = None
    last_resort: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    timeouts: Timeouts = Timeouts()
    context_window: int | None = None
    price: Price | None = None
    tags: tuple[str, ...] = ()
    region: str | None = None
    proxy: str | None = None
    notes: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    auth: Auth | None = None
    limits: Limits | None = None
    budget: Budget | None = None
    max_retries: int | None = None
    supports_tools: bool | None = None
    supports_images: bool | None = None
    health_check: HealthCheck = HealthCheck()

    @property
    def title(self) -> str:
        """What a person calls it."""
        return self.name or self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Profiles in order of preference, and how to choose among them. Times in seconds; None falls back to ``Defaults``.

    ``max_attempts`` counts attempts of one request (None: one a candidate, and the most retries that one of them has, at least one); ``max_elapsed`` stops new attempts from starting.

    A request is led by the first rule it meets, then goes by tier (``tiers``: lists of profile ids, the best first; who is in none comes
    last), then by strategy. ``weights`` are relative (1 where not named; 0: never by choice). ``model_routes`` names a profile by the
    requested model (``*`` stands for anything) and ``default_route`` the one for all other models. ``split`` gives a profile that
    percentage of the sessions. ``region`` binds every request. ``max_cost_per_token`` is USD and holds for input and output alike.
    ``safety_net`` asks everybody once where cooldowns and failures would leave nobody; ``policy_fallback`` asks one other profile when a
    content filter refused. ``leave_below`` (0 to 1) leaves a profile behind when that share of a quota told by the provider is left;
    ``reset_first`` prefers the quota that resets first. ``max_switch_cost`` (USD) keeps a session where its prompt cache is warm as long as
    going elsewhere would cost more. ``enabled`` False switches all of this off: the first enabled profile or nobody.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = SCHEMA
    id: str
    name: str | None = None
    profiles: tuple[str, ...] = ()
    strategy: Strategy = Strategy.PRIORITY
    cooldown: float | None = None
    cooldown_mode: CooldownMode | None = None
    revert: Revert = Revert.SESSION
    max_wait: float | None = None
    max_attempts: int | None = None
    max_elapsed: float = 60.0
    on_interrupt: OnInterrupt = OnInterrupt.STOP
    enabled: bool = True
    tiers: tuple[tuple[str, ...], ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)
    model_routes: Mapping[str, str] = field(default_factory=dict)
    default_route: str | None = None
    rules: tuple[Rule, ...] = ()
    split: Mapping[str, float] = field(default_factory=dict)
    region: str | None = None
    latency: Latency = Latency()
    max_price: Ceiling | None = None
    max_cost_per_token: float | None = None
    limits: Limits | None = None
    budget: Budget | None = None
    failover: Failover = Failover()
    circuit_breaker: CircuitBreaker | None = None
    last_resort: LastResort | None = None
    safety_net: bool = False
    policy_fallback: bool = False
    leave_below: float | None = None
    reset_first: bool = False
    max_switch_cost: float | None = None

    @property
    def title(self) -> str:
        """What a person calls it."""
        return self.name or self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerts:
    """What raises a notice: of a profile's attempts within ``window`` seconds, once there are ``attempts`` of them, the share that failed
    (``error_rate``, 0 to 1; 0: never), or the median of the seconds to the first token (``first_token``; None: never)."""

    __pydantic_config__: ClassVar[dict[str, Any]] = SCHEMA
    window: float = 900.0
    attempts: int = 10
    error_rate: float = 0.5
    first_token: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What holds where neither profile nor pool says otherwise. ``cooldown`` None means each class's own default.

    ``budgets`` are by tag, of a profile or of a request. ``retries_per_minute`` is how often this machine, all windows together, asks a
    profile again that has just failed. ``ledger_days`` is how long attempts are kept. A key saved more than ``key_days`` ago is a problem to
    be told (None: never); so is what ``alerts`` says.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = SCHEMA
    cooldown: float | None = None
    cooldown_mode: CooldownMode = CooldownMode.HINT_FIRST
    max_wait: float = 60.0
    pool: str | None = None
    budgets: Mapping[str, Budget] = field(default_factory=dict)
    retries_per_minute: int = 60
    ledger_days: int = 90
    key_days: int | None = None
    alerts: Alerts = Alerts()


@dataclass(frozen=True, slots=True)
class Problem:
    """Something the user should mend. ``field`` is a dotted path in outside spelling; ``line`` is 1-based in the config file.
    ``dismissible`` are the profiles of a suggestion that the user may want to hear no more of."""

    message: str
    field: str | None = None
    remedy: str | None = None
    profile_id: str | None = None
    line: int | None = None
    dismissible: tuple[str, ...] = ()


class Source(StrEnum):
    """Who says what a model costs and holds."""

    YOURS = "yours"  # the profile itself
    SERVER = "server"  # its list of models, or its answer
    TABLE = "table"  # the offline table of prices


class Knowledge:
    """What is known of models beside what the profiles say; this one knows nothing. What the user typed always wins, and what is merely
    assumed is not known. None of it is ever saved."""

    def filled(self, profile: Profile, model: str | None) -> Profile:
        """The profile with the gaps filled that this model of its own fills (None: the one it is asked for where none is named)."""
        return profile

    def asked(self, profile: Profile, requested: str | None) -> Profile:
        """As ``filled``, for the model that a request for ``requested`` comes to at this profile."""
        return profile

    def sources(self, profile: Profile, model: str | None) -> Mapping[str, Source]:
        """Who says so, of each of ``price``, ``context_window``, ``supports_tools`` and ``supports_images`` that is known."""
        return {name: Source.YOURS for name in KNOWABLE if getattr(profile, name) is not None}


KNOWABLE: Final = ("price", "context_window", "supports_tools", "supports_images")
"""Fields of a profile that its model may fill."""
_NOTHING_KNOWN: Final = Knowledge()


@dataclass(frozen=True, slots=True)
class Configuration:
    """One immutable reading of the config file. ``revision`` is a hash of its bytes. ``unreadable`` (profiles) and ``unreadable_pools``
    keep, by id, entries that did not parse: they are shown as "needs attention" and written back verbatim, never dropped. The last good
    version of one may be in force, and then is in ``profiles`` or ``pools``. ``first_pool`` is the id of the file's first, in force or
    not. These are as the user typed them; ``knowledge`` fills their gaps."""

    profiles: Mapping[str, Profile] = field(default_factory=dict)
    pools: Mapping[str, Pool] = field(default_factory=dict)
    defaults: Defaults = Defaults()
    revision: str = ""
    problems: tuple[Problem, ...] = ()
    unreadable: Mapping[str, Problem] = field(default_factory=dict)
    unreadable_pools: Mapping[str, Problem] = field(default_factory=dict)
    unreadable_defaults: Problem | None = None
    first_pool: str | None = None
    knowledge: Knowledge = field(default=_NOTHING_KNOWN, compare=False, repr=False)

    def pool(self, pool_id: str | None) -> Pool | None:
        """The pool of that id; for None the default one: ``defaults.pool``, else "default", else the first, else every profile in order.
        None also where it is not in force: what it forbids is not known."""
        wanted = self._usual() if pool_id is None else pool_id
        found = self.pools.get(wanted)
        if found is None and wanted == "default" and self.unreadable_pool(wanted) is None:
            return Pool(id="default", profiles=tuple(self.profiles))
        return found

    def unreadable_pool(self, pool_id: str | None) -> str | None:
        """The label of the entry that keeps the pool of that id (None: the default one) out of force; one without an id may be any."""
        wanted = self._usual() if pool_id is None else pool_id
        if wanted in self.pools or not self.unreadable_pools:
            return None
        unnamed = next((label for label in self.unreadable_pools if label.startswith(NO_POOL_ID)), None)
        return wanted if wanted in self.unreadable_pools else unnamed

    def _usual(self) -> str:
        if self.defaults.pool is not None:
            return self.defaults.pool
        if "default" in self.pools or "default" in self.unreadable_pools:
            return "default"
        return self.first_pool or next(iter(self.pools), "default")


NO_POOL_ID: Final = "pools["
"""How the label of a pool's entry begins that has no id."""


def out_of_force(problem: Problem, label: str) -> str:
    """What keeps an entry of the file out of force, where and how it is mended, as the end of a sentence about it."""
    told = problem.message.removeprefix(f"Pool {label}: ").rstrip(".")
    where = f" (line {problem.line} of the configuration)" if problem.line else ""
    remedy = f"; {problem.remedy[0].lower()}{problem.remedy[1:].rstrip('.')}" if problem.remedy else ""
    return f"is not in force: {told}{where}{remedy}"


def reference_name(text: str) -> str | None:
    """The environment variable that ``${NAME}`` or ``os.environ/NAME`` names; None when the text is no reference."""
    found = REFERENCE.fullmatch(text)
    return (found.group(1) or found.group(2)) if found else None


def needs_plain_http_approval(origin: str) -> bool:
    """Whether a key for this origin would cross a network unencrypted."""
    return origin.startswith("http://") and not is_loopback(origin)
