"""Every key of the configuration as a row: what it is for, of which kind it is, and an example of its value.

The keys come from the schema of the configuration file; what is told of them stands here, by the name of the value they belong to. Whoever
adds a key tells it here: the table cannot be written before. Editors show these sentences where the file is edited by hand, clients and the
command line where it is edited with them; a test sets every example by the protocol and by the command.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

Json: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """``tells`` is one sentence, ``example`` a value that can be saved. ``entry`` is the example's name where the key is any name."""

    tells: str
    example: Any
    entry: str | None = None


TOLD: Final[Mapping[str, Told]] = {
    "Profile.id": Told("What the profile is called in pools, rules and commands.", "main"),
    "Profile.provider": Told("Whose API it is.", "anthropic"),
    "Profile.name": Told("A longer name to show.", "My main profile"),
    "Profile.model": Told("The model it is asked for where a request names none.", "gpt-4.1"),
    "Profile.models": Told("The only models it may be asked for; none named: any.", ["gpt-4.1", "gpt-4.1-mini"]),
    "Profile.modelMap": Told("What a requested model is called here.", "gpt-4.1-mini", "fast.small"),
    "Profile.baseUrl": Told("Another address than the provider's own.", "https://api.openai.com/v1"),
    "Profile.apiKey": Told(
        "The environment variable its key is in, as ${NAME}; a key itself lies in the keyring.", "${MAIN_KEY}"
    ),
    "Profile.secrets": Told("The same for its other secrets, by slot.", "${OTHER_KEY}", "clientSecret"),
    "SecretCommand.command": Told(
        "The program, with its arguments, that prints this secret: a vault's client, run without a shell.",
        ["op", "read", "op://Private/gateway/secret"],
        "clientSecret",
    ),
    "SecretCommand.timeout": Told("Seconds that program may take.", 5, "clientSecret"),
    "SecretCommand.lifetime": Told(
        "Seconds what it printed is used, where that does not tell its own end.", 3600, "clientSecret"
    ),
    "Profile.keySavedAt": Told("When its key was saved; rooroute writes it.", "2026-01-31T12:00:00.000Z"),
    "Profile.cooldown": Told("Seconds it rests after a rate limit that tells no time.", 120),
    "Profile.enabled": Told("Whether it may be asked at all.", False),
    "Profile.domain": Told("The name of a quota that several profiles share.", "team-quota"),
    "Profile.lastResort": Told("Ask it only where nobody else can answer.", True),
    "Profile.headers": Told("A header to send along.", "blue", "X-Team.Name"),
    "Profile.query": Told("A query parameter to send along.", "blue", "team"),
    "Profile.contextWindow": Told("Tokens its model takes; longer requests pass it over.", 200000),
    "Profile.tags": Told("Words that budgets, rules and statistics know it by.", ["work", "cheap"]),
    "Profile.region": Told("Where it runs; requests bound to another region pass it over.", "eu"),
    "Profile.proxy": Told("The proxy it is reached through.", "http://127.0.0.1:3128"),
    "Profile.notes": Told("Your own words about it.", "Asks the team's account; 1 = first."),
    "Profile.options": Told("A field of the vendor's own.", "org-1", "organization"),
    "Profile.maxRetries": Told("How often it may be asked again within one request, whatever its pool says.", 2),
    "Profile.supportsTools": Told("Whether its model can call tools; left out: not known.", False),
    "Profile.supportsImages": Told("Whether its model can see images; left out: not known.", True),
    "Auth.kind": Told("How it proves who asks, where that is not the vendor's usual way.", "bearer"),
    "Auth.name": Told("The header or query parameter the secret goes into.", "X-Key"),
    "Auth.prefix": Told("What stands before the secret in its header.", "Key "),
    "Auth.username": Told("The user name of basic authentication.", "me"),
    "Auth.command": Told(
        "The program, with its arguments, that prints a token or signs a request.", ["print-token", "--quiet"]
    ),
    "Auth.timeout": Told("Seconds that program may take.", 5),
    "Auth.lifetime": Told("Seconds a token is used that does not tell its own end.", 600),
    "Auth.tokenUrl": Told("Where a token is asked for.", "https://api.openai.com/token"),
    "Auth.clientId": Told("Who asks for a token.", "client-1"),
    "Auth.tokenEndpointAuthMethod": Told("How the token's address is told the client's secret.", "client_secret_post"),
    "Auth.scope": Told("What the token is to be good for.", "models.read"),
    "Auth.audience": Told("Whom the token is meant for.", "https://api.openai.com"),
    "Auth.certificate": Told("The file of the client certificate.", "~/client.pem"),
    "Auth.certificateKey": Told("The file of the certificate's key.", "~/client.key"),
    "Timeouts.connect": Told("Seconds to wait for a connection.", 5),
    "Timeouts.firstToken": Told("Seconds to wait for the first piece of an answer.", 30),
    "Timeouts.idle": Told("Seconds to wait between two pieces.", 20),
    "Timeouts.total": Told("Seconds the whole answer may take.", 300),
    "Price.input": Told("USD per million tokens sent.", 2.5),
    "Price.output": Told("USD per million tokens received.", 10),
    "Price.cacheRead": Told("USD per million tokens read from the prompt cache.", 0.25),
    "Price.cacheWrite": Told("USD per million tokens written to the prompt cache.", 3),
    "Limits.requestsPerSecond": Told("Requests in any second, at most.", 2.5),
    "Limits.requestsPerMinute": Told("Requests in any minute, at most.", 60),
    "Limits.requestsPerHour": Told("Requests in any hour, at most.", 600),
    "Limits.requestsPerDay": Told("Requests in any 24 hours, at most.", 2000),
    "Limits.tokensPerSecond": Told("Tokens in any second, at most.", 5000),
    "Limits.tokensPerMinute": Told("Tokens in any minute, at most.", 100000),
    "Limits.tokensPerHour": Told("Tokens in any hour, at most.", 1000000),
    "Limits.tokensPerDay": Told("Tokens in any 24 hours, at most.", 5000000),
    "Limits.concurrentRequests": Told("Requests under way at once, at most.", 4),
    "Limits.burst": Told("Requests that may come at once where requests per second are limited.", 5),
    "Budget.perDay": Told("USD that may be spent per day (UTC).", 5.5),
    "Budget.perMonth": Told("USD that may be spent per calendar month (UTC).", 100),
    "HealthCheck.enabled": Told("Whether its provider is asked regularly if it answers.", True),
    "HealthCheck.interval": Told("Seconds between two checks.", 120),
    "HealthCheck.timeout": Told("Seconds a check may take.", 8),
    "HealthCheck.sends": Told("What a check sends: list costs nothing, completion up to 16 tokens.", "completion"),
    "HealthCheck.endpoint": Told("The path a check asks for, where that is not the list of models.", "/v1/models"),
    "HealthCheck.expectStatus": Told("The HTTP statuses that are healthy; none named: any 2xx.", [200, 204]),
    "HealthCheck.expectBody": Told("What must stand in the answer.", "gpt"),
    "HealthCheck.failures": Told("Failed checks in a row after which it rests.", 5),
    "Pool.id": Told("What the pool is called in requests and commands.", "default"),
    "Pool.name": Told("A longer name to show.", "For coding"),
    "Pool.profiles": Told("Its profiles, the preferred one first.", ["spare", "main"]),
    "Pool.strategy": Told("How to choose among those that can serve.", "round_robin"),
    "Pool.cooldown": Told("Seconds a profile rests that names no time itself.", 300),
    "Pool.cooldownMode": Told("Whether the provider's time of return or the cooldown counts.", "max"),
    "Pool.revert": Told("When to go back to a better profile that has recovered.", "immediate"),
    "Pool.maxWait": Told("Seconds a request waits where everybody rests.", 30),
    "Pool.maxAttempts": Told("Attempts of one request, at most.", 4),
    "Pool.maxElapsed": Told("Seconds after which no new attempt begins.", 45),
    "Pool.onInterrupt": Told("What happens when an answer breaks off in the middle.", "continue"),
    "Pool.enabled": Told("Off: the first enabled profile answers or nobody does.", False),
    "Pool.tiers": Told("Groups of its profiles, the best group first.", [["main"], ["spare", "paid"]]),
    "Pool.weights": Told("A profile's share in the weighted strategy; 1 where not named.", 3, "main"),
    "Pool.modelRoutes": Told(
        "The profile that answers for a requested model; * stands for anything.", "spare", "gpt-4.1*"
    ),
    "Pool.defaultRoute": Told("The profile that answers for all other models.", "main"),
    "Pool.split": Told("The percentage of sessions that goes to a profile.", 5, "spare"),
    "Pool.region": Told("Binds every request to profiles of this region.", "eu"),
    "Pool.maxCostPerToken": Told("USD per token above which nobody is asked.", 0.00002),
    "Pool.safetyNet": Told("Ask everybody once where rests and failures would leave nobody.", True),
    "Pool.policyFallback": Told("Ask one other profile when a content filter refused.", True),
    "Pool.leaveBelow": Told("Leave a profile when this share of its provider's quota is left, from 0 to 1.", 0.1),
    "Pool.resetFirst": Told("Prefer the quota that resets first.", True),
    "Pool.maxSwitchCost": Told("USD; a switch that loses a warm prompt cache worth more is not made.", 0.05),
    "Rule.name": Told("What the rule is called.", "coding"),
    "Rule.profiles": Told("Who answers, in this order.", ["spare"]),
    "Rule.strategy": Told("How to choose among them, where not as the pool does.", "cost"),
    "Rule.only": Told("Nobody else of the pool stands behind them.", True),
    "Rule.region": Told("Binds the request to profiles of this region.", "eu"),
    "When.model": Told("The requested model is one of these; * stands for anything.", ["gpt-4.1*"]),
    "When.mode": Told("The mode is one of these.", ["code"]),
    "When.task": Told("The task is one of these.", ["refactor", "review"]),
    "When.intent": Told("The intent, as a classifier told it, is one of these.", ["write-tests"]),
    "When.needs": Told("The request cannot do without all of these.", ["images"]),
    "When.contains": Told("The last message holds one of these, capitals aside.", ["translate", "summarize"]),
    "When.pattern": Told("A regular expression that the last message meets.", "^fix(es)? "),
    "When.minLength": Told("Characters the last message has at least.", 10),
    "When.maxLength": Told("Characters the last message has at most.", 400),
    "When.minTokens": Told("Tokens the whole request has at least, as estimated.", 1000),
    "When.maxTokens": Told("Tokens the whole request has at most, as estimated.", 8000),
    "When.language": Told("The language of the file is one of these.", ["python", "rust"]),
    "When.tags": Told("The request has all of these tags.", ["work"]),
    "When.region": Told("The request is bound to one of these regions.", ["eu"]),
    "When.metadata": Told("A field of the request's metadata has this value.", "blue", "team"),
    "Latency.window": Told("Seconds that measurements of speed count.", 600),
    "Latency.percentile": Told("Which percentile of the times to the first token counts, from 0 to 100.", 50),
    "Latency.exploreEvery": Told(
        "Every so many requests one goes to whoever was not measured for longest; 0: never.", 50
    ),
    "Latency.tooSlow": Told("Seconds to the first token above which a profile goes behind the others.", 8),
    "Latency.probeEvery": Told(
        "Seconds after which a profile that nobody asked is asked a small question, which is paid for, only to be measured; left out: never.",
        3600,
    ),
    "Ceiling.input": Told("USD per million tokens sent above which nobody is asked.", 5),
    "Ceiling.output": Told("USD per million tokens received above which nobody is asked.", 20),
    "Failover.enabled": Told("Off: the first choice answers or nobody does.", False),
    "Failover.maxRetries": Told("How often one profile may be asked again within one request.", 2),
    "Failover.sameFirst": Told("Ask the same profile again before the next.", True),
    "Failover.retryCodes": Told(
        "HTTP statuses that go on to the next profile although they blame the request.", [400, 422]
    ),
    "CircuitBreaker.failureThreshold": Told("Faults within a minute after which a profile rests.", 3),
    "CircuitBreaker.successThreshold": Told("Good answers after that rest which clear its record.", 2),
    "CircuitBreaker.timeout": Told("Seconds it rests then.", 90),
    "LastResort.profile": Told("Who is asked when no other can answer.", "paid"),
    "LastResort.onError": Told("Whether that holds when the others err.", False),
    "LastResort.onRateLimit": Told("Whether that holds when the others are at their limits.", False),
    "LastResort.consent": Told("With whose consent: allow, ask (the user, once in a session), never.", "ask"),
    "Defaults.cooldown": Told("Seconds a profile rests where neither it nor its pool names a time.", 180),
    "Defaults.cooldownMode": Told("Whether the provider's time of return or the cooldown counts.", "fixed"),
    "Defaults.maxWait": Told("Seconds a request waits where everybody rests and the pool says nothing.", 20),
    "Defaults.pool": Told("The pool of requests that name none.", "default"),
    "Defaults.retriesPerMinute": Told("How often this machine asks a profile again that has just failed.", 30),
    "Defaults.ledgerDays": Told("Days the record of attempts is kept.", 30),
    "Alerts.window": Told("Seconds of a profile's attempts that a notice goes by.", 3600),
    "Alerts.attempts": Told("How many attempts there have to be before a notice is raised.", 20),
    "Alerts.errorRate": Told("The share of failed attempts, from 0 to 1, that raises a notice; 0: none does.", 0.3),
    "Alerts.firstToken": Told("Seconds to the first token, as the median, that raise a notice; left out: none do.", 8),
    "Defaults.keyDays": Told("Days after which a key is reported as old; left out: never.", 180),
}
_ENTRIES: Final[Mapping[str, str]] = {"defaults.budgets": "team"}
_TOKEN: Final = {"profiles[].auth.kind": "token-command", "profiles[].auth.command": ["print-token"]}
_OAUTH: Final = {
    "profiles[].auth.kind": "oauth-client-credentials",
    "profiles[].auth.tokenUrl": "https://api.openai.com/token",
    "profiles[].auth.clientId": "client-1",
}
_PRINTED: Final = {**_OAUTH, "profiles[].secretCommands.*.command": ["print-secret"]}
_PRICE: Final = {"profiles[].price.input": 1, "profiles[].price.output": 2}
_RULE: Final = {"pools[].rules[].name": "coding", "pools[].rules[].profiles": ["spare"]}
_MET: Final = {**_RULE, "pools[].rules[].when.mode": ["code"]}
WITH: Final[Mapping[str, Json]] = {
    "profiles[].secrets": _OAUTH,
    "profiles[].secretCommands": _PRINTED,
    "profiles[].price": _PRICE,
    "profiles[].budget": _PRICE,
    "profiles[].auth.name": {"profiles[].auth.kind": "key-header"},
    "profiles[].auth.prefix": {"profiles[].auth.kind": "key-header", "profiles[].auth.name": "X-Key"},
    "profiles[].auth.username": {"profiles[].auth.kind": "basic"},
    "profiles[].auth.command": {"profiles[].auth.kind": "token-command"},
    "profiles[].auth.timeout": _TOKEN,
    "profiles[].auth.lifetime": _TOKEN,
    **{
        f"profiles[].auth.{name}": _OAUTH
        for name in ("tokenUrl", "clientId", "tokenEndpointAuthMethod", "scope", "audience")
    },
    "profiles[].auth.certificate": {"profiles[].auth.kind": "mtls"},
    "profiles[].auth.certificateKey": {
        "profiles[].auth.kind": "mtls",
        "profiles[].auth.certificate": "~/client.pem",
    },
    "profiles[].limits.burst": {"profiles[].limits.requestsPerSecond": 2.5},
    "pools[].limits.burst": {"pools[].limits.requestsPerSecond": 2.5},
    "pools[].rules[]": _MET,
    "pools[].rules[].when": _RULE,
    "pools[].lastResort": {"pools[].lastResort.profile": "paid"},
    "pools[].weights": {"pools[].strategy": "weighted"},
    "pools[].modelRoutes": {"pools[].strategy": "model"},
    "pools[].defaultRoute": {"pools[].strategy": "model"},
}
"""What has to be set besides, by the key or by what it belongs to; the longest that fits counts."""
BY: Final[Mapping[str, tuple[str, ...]]] = {
    "profiles[].id": ("rooroute/profiles/rename", "rooroute profiles rename"),
    "pools[].id": ("rooroute/pools/rename", "rooroute pools rename"),
    "profiles[].keySavedAt": (),
}
"""Keys that are not set by saving the whole entry: the method and the command that set them; none where rooroute alone writes them."""
_KINDS: Final = {"string": "text", "number": "number", "integer": "integer", "boolean": "flag"}


@dataclass(frozen=True, slots=True)
class Key:
    """One key. ``path`` spells an entry of a list as ``[]`` and any name as ``*``; ``kind`` is text, number, integer, flag, choice, any, or
    ``list of`` one of these; ``needs`` is what its example needs besides."""

    path: str
    kind: str
    told: Told
    choices: tuple[str, ...] = ()
    default: Any = None
    needs: Json = field(default_factory=dict)

    def row(self) -> Json:
        """As it stands in ``protocol/settings.json``."""
        more = {
            "choices": list(self.choices),
            "default": self.default,
            "entry": self.told.entry,
            "with": self.needs,
            **({"by": list(BY[self.path])} if self.path in BY else {}),
        }
        shown = {name: value for name, value in more.items() if name == "by" or value not in (None, [], {})}
        return {"path": self.path, "kind": self.kind, "tells": self.told.tells, "example": self.told.example, **shown}


def keys(schema: Json) -> list[Key]:
    """Every key of the configuration, from the file's JSON Schema. LookupError for one that nothing is told of."""
    walk = _Walk(schema["$defs"])
    sections = {name: inner for name, inner in schema["properties"].items() if name != "version"}
    return [each for name, inner in sections.items() for each in walk.into(inner, name, "", None)]


def with_descriptions(schema: Json) -> Json:
    """The schema, each key told what it is for."""
    told: Json = {}
    for name, definition in schema["$defs"].items():
        properties = {
            inner: {**shape, "description": found.tells} if (found := TOLD.get(f"{name}.{inner}")) else shape
            for inner, shape in definition.get("properties", {}).items()
        }
        told[name] = {**definition, "properties": properties} if properties else definition
    return {**schema, "$defs": told}


@dataclass(frozen=True, slots=True)
class _Walk:
    definitions: Json

    def into(self, node: Json, path: str, told: str, entry: str | None) -> Iterator[Key]:
        """The keys below ``node``; ``told`` is the name by which its field is told of."""
        name, shape = self._meant(node)
        if shape.get("properties"):
            for inner, each in shape["properties"].items():
                yield from self.into(each, f"{path}.{inner}", f"{name}.{inner}", entry)
        elif shape.get("type") == "object":
            values = shape.get("additionalProperties")
            any_name = entry or _ENTRIES.get(path)
            inner = values if isinstance(values, dict) else {}
            yield from self.into(inner, f"{path}.*", told, any_name)
        elif shape.get("type") == "array" and self._meant(shape["items"])[1].get("properties"):
            yield from self.into(shape["items"], f"{path}[]", told, entry)
        else:
            yield self._key(shape, path, told, entry, node.get("default", shape.get("default")))

    def _meant(self, node: Json) -> tuple[str, Json]:
        """What a reference or a value that may be left out stands for, and its name."""
        name = ""
        while "$ref" in node or "anyOf" in node:
            if "$ref" in node:
                name = node["$ref"].rpartition("/")[2]
                node = self.definitions[name]
            else:
                node = next(each for each in node["anyOf"] if each.get("type") != "null")
        return name, node

    def _key(self, shape: Json, path: str, told: str, entry: str | None, default: Any) -> Key:
        found = TOLD.get(told)
        if found is None:
            raise LookupError(f"Nothing is told of {told}: say in TOLD what it is for, with an example of its value.")
        kind, choices = self._kind(shape)
        named = Told(found.tells, found.example, found.entry or entry)
        return Key(path, kind, named, choices, default, _needs(path))

    def _kind(self, shape: Json) -> tuple[str, tuple[str, ...]]:
        if shape.get("type") == "array":
            kind, choices = self._kind(self._meant(shape["items"])[1])
            return f"list of {kind}", choices
        if "enum" in shape:
            return "choice", tuple(shape["enum"])
        return _KINDS.get(shape.get("type", ""), "any"), ()


def _needs(path: str) -> Json:
    fitting = [name for name in WITH if path == name or path.startswith((f"{name}.", f"{name}["))]
    found = WITH[max(fitting, key=len)] if fitting else {}
    return {name: value for name, value in found.items() if name != path}
