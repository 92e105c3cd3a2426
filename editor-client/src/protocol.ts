/* Generated from protocol/openrpc.json by `npm run generate`. Do not edit. */

export const PROTOCOL_VERSION = "1.0";

/**
 * What raises a notice: of a profile's attempts within ``window`` seconds, once there are ``attempts`` of them, the share that failed
 * (``error_rate``, 0 to 1; 0: never), or the median of the seconds to the first token (``first_token``; None: never).
 */
export interface Alerts {
  window?: number;
  attempts?: number;
  errorRate?: number;
  firstToken?: number | null;
}

/** ``verdict`` is ``ok`` or the class of the failure. */
export interface Attempt {
  n: number;
  profileId: string;
  model: string;
  verdict: string;
  httpStatus?: number | null;
  detail?: string | null;
  firstTokenMs?: number | null;
  durationMs: number;
  usage?: Usage | null;
}

export interface AttemptBegun {
  kind: "attempt";
  requestId: string;
  n: number;
  profileId: string;
  model: string;
  why: string;
}

/**
 * ``rawError`` is the provider's own words and ``curl`` the request as it was sent, both without keys; the latter is known only to
 * the server that sent it, for its latest requests. ``taught`` are the marks that followed; ``notice`` is what the answer said beside
 * the answer, as that its model is to be retired.
 */
export interface AttemptExplained {
  n: number;
  profileId: string;
  model: string;
  verdict: string;
  httpStatus?: number | null;
  detail?: string | null;
  firstTokenMs?: number | null;
  durationMs: number;
  usage?: Usage | null;
  /** USD; ``priceSource`` says by whose price. */
  cost?: number | null;
  priceSource?: Source | null;
  rawError?: string | null;
  notice?: string | null;
  curl?: string | null;
  taught?: Array<MarkStatus>;
}

/**
 * Declared authentication; ``providers.authentication`` says what each kind needs and where its secret goes.
 *
 * ``name`` is the header or query parameter and ``prefix`` what stands before the secret in it (None: the kind's usual ones).
 * ``command`` is a program with its arguments, run without a shell, for at most ``timeout`` seconds; a token that does not tell its own
 * end is used for ``lifetime`` seconds. ``certificate`` and ``certificate_key`` are paths of PEM files.
 */
export interface Auth {
  kind: AuthKind;
  name?: string | null;
  prefix?: string | null;
  username?: string | null;
  command?: Array<string>;
  timeout?: number;
  lifetime?: number;
  tokenUrl?: string | null;
  clientId?: string | null;
  tokenEndpointAuthMethod?: TokenEndpointAuthMethod;
  scope?: string | null;
  audience?: string | null;
  certificate?: string | null;
  certificateKey?: string | null;
}

/** How a request proves who sends it, where it is not the vendor's usual way. */
export type AuthKind = "key-header" | "key-query" | "bearer" | "basic" | "token-command" | "oauth-client-credentials" | "mtls" | "signature-command";

/** The configuration file as it stands, comments and all; keys are not in it. */
export interface BackedUp {
  text: string;
  configRevision: string;
}

/** USD that may be spent per UTC day and per UTC calendar month; None means no limit. */
export interface Budget {
  perDay?: number | null;
  perMonth?: number | null;
}

export interface ById {
  id: string;
}

export interface ByRequest {
  requestId: string;
}

export interface Candidate {
  profileId: string;
  excludedBy?: string | null;
  rank?: number | null;
}

/** The most a profile may cost, in USD per million tokens; one without a price is above every ceiling. */
export interface Ceiling {
  input?: number | null;
  output?: number | null;
}

/**
 * What a health check sends. ``list``: a GET, of the vendor's list of models or of ``HealthCheck.endpoint``; costs no tokens.
 * ``completion``: a short question, whose answer of at most 16 tokens is paid for.
 */
export type CheckKind = "list" | "completion";

/**
 * ``failure_threshold`` faults within a minute rest a profile for ``timeout`` seconds; ``success_threshold`` good answers after
 * that clear its record.
 */
export interface CircuitBreaker {
  failureThreshold?: number;
  successThreshold?: number;
  timeout?: number;
}

/** One request for an answer; ``pool`` or ``profile``, or neither for the default pool. */
export interface Complete {
  messages: Array<Message>;
  pool?: string | null;
  profile?: string | null;
  model?: string | null;
  tools?: Array<Tool>;
  toolChoice?: "auto" | "none" | "required" | ToolChoiceName | null;
  maxTokens?: number | null;
  temperature?: number | null;
  topP?: number | null;
  stop?: Array<string>;
  seed?: number | null;
  reasoningEffort?: "minimal" | "low" | "medium" | "high" | null;
  responseFormat?: ResponseFormat | null;
  providerOptions?: Record<string, unknown>;
  metadata?: Record<string, unknown>;
  session?: string | null;
  onInterrupt?: OnInterrupt | null;
  fallback?: boolean | null;
  mode?: string | null;
  task?: string | null;
  language?: string | null;
  tags?: Array<string>;
  /** Binds the request to profiles of that region; it never leaves it. */
  region?: string | null;
  /** The user's yes to the pool's last resort, for this request or for this window's session. */
  consent?: "once" | "session" | null;
  /** Keep the session with the profile that answers this request. */
  pin?: boolean;
  partialResultToken?: string | number | null;
}

/** ``message`` is ready to be appended to the conversation; its text is left out where it went out as progress. ``cost`` in USD. */
export interface Completed {
  requestId: string;
  profileId: string;
  model: string;
  finishReason: "stop" | "length" | "toolCalls" | "contentFilter" | "other";
  message: Message;
  usage: Usage;
  cost?: number | null;
  attempts: Array<Attempt>;
}

/** Whether the last resort may be used: always, only after the user said so in this session, or not at all. */
export type Consent = "allow" | "ask" | "never";

/** Whose last resort (``pool``) could answer, and which profile that is (``profileId``). */
export interface ConsentWanted {
  profileId: string;
  pool: string;
}

/** ``hint_first``: the provider's time, else the configured one. ``max``: never shorter than configured. ``fixed``: exactly it. */
export type CooldownMode = "hint_first" | "max" | "fixed";

/**
 * What holds where neither profile nor pool says otherwise. ``cooldown`` None means each class's own default.
 *
 * ``budgets`` are by tag, of a profile or of a request. ``retries_per_minute`` is how often this machine, all windows together, asks a
 * profile again that has just failed. ``ledger_days`` is how long attempts are kept. A key saved more than ``key_days`` ago is a problem to
 * be told (None: never); so is what ``alerts`` says.
 */
export interface Defaults {
  cooldown?: number | null;
  cooldownMode?: CooldownMode;
  maxWait?: number;
  pool?: string | null;
  budgets?: Record<string, Budget>;
  retriesPerMinute?: number;
  ledgerDays?: number;
  keyDays?: number | null;
  alerts?: Alerts;
}

export interface DeleteById {
  id: string;
  configRevision?: string | null;
}

/** The pools and rules that used it; a deleted profile can be restored for ten minutes. */
export interface Deleted {
  pools: Array<string>;
  rules?: Array<string>;
  configRevision: string;
}

/** The profiles of a suggestion that shall not be told again, two at least. */
export interface Dismiss {
  ids: Array<string>;
}

/** A request that is not sent: who would answer it, and why. */
export interface DryRun {
  messages: Array<Message>;
  pool?: string | null;
  profile?: string | null;
  model?: string | null;
  tools?: Array<Tool>;
  toolChoice?: "auto" | "none" | "required" | ToolChoiceName | null;
  maxTokens?: number | null;
  temperature?: number | null;
  topP?: number | null;
  stop?: Array<string>;
  seed?: number | null;
  reasoningEffort?: "minimal" | "low" | "medium" | "high" | null;
  responseFormat?: ResponseFormat | null;
  providerOptions?: Record<string, unknown>;
  metadata?: Record<string, unknown>;
  session?: string | null;
  onInterrupt?: OnInterrupt | null;
  fallback?: boolean | null;
  mode?: string | null;
  task?: string | null;
  language?: string | null;
  tags?: Array<string>;
  /** Binds the request to profiles of that region; it never leaves it. */
  region?: string | null;
  /** The user's yes to the pool's last resort, for this request or for this window's session. */
  consent?: "once" | "session" | null;
  /** Keep the session with the profile that answers this request. */
  pin?: boolean;
  partialResultToken?: string | number | null;
}

/**
 * ``profileId`` is left out where nobody could answer now; ``reason`` then says why and what helps, in the words of the error that the
 * request would end with.
 */
export interface DryRunResult {
  profileId?: string | null;
  reason?: string | null;
  because?: string | null;
  rule?: string | null;
  rules: Array<RuleTried>;
  strategy: string;
  region?: string | null;
  estimatedTokens: number;
  estimatedCost?: number | null;
  priceSource?: Source | null;
  candidates: Array<Candidate>;
}

export interface DuplicateProfile {
  id: string;
  newId?: string | null;
}

/** No fields. */
export interface Empty {
}

/** ``kind`` is always there; the rest where it applies. ``message`` is the partial answer where no token was given. */
export interface ErrorData {
  kind: string;
  field?: string | null;
  requestId?: string | null;
  retryAt?: string | null;
  now?: string | null;
  profiles?: Array<ErrorProfile> | null;
  attempts?: Array<Attempt> | null;
  message?: Message | null;
  consent?: ConsentWanted | null;
  reference?: string | null;
  [more: string]: unknown;
}

export interface ErrorProfile {
  id: string;
  state: "active" | "cooldown" | "failed" | "disabled";
  reason?: string | null;
  until?: string | null;
  remedy?: string | null;
}

/** ``litellm`` is a ``config.yaml`` for its proxy. */
export interface Export {
  format?: "yaml" | "json" | "litellm";
}

/** ``leftOut`` tells in sentences what is not in the text, and why. */
export interface Exported {
  text: string;
  leftOut: Array<string>;
}

/**
 * ``enabled`` False: the first choice or nobody. ``max_retries`` is how often one profile may be asked again within one request
 * (None: once, where that may help); ``same_first`` asks the same one again before the next. ``retry_codes`` are HTTP statuses that
 * send the request on although the answer blamed the request itself; all that blame the provider do so anyway.
 */
export interface Failover {
  enabled?: boolean;
  maxRetries?: number | null;
  sameFirst?: boolean;
  retryCodes?: Array<number>;
}

/**
 * Asks a profile's provider every ``interval`` seconds, by one window of the machine, whether it answers; each for ``timeout`` seconds.
 *
 * ``endpoint`` is a path: below the host where it begins with a slash, else below the base URL (None: the vendor's list of models).
 * Any 2xx is healthy, or one of ``expect_status``; ``expect_body`` must stand in the answer. After ``failures`` failed checks in a row
 * the profile rests until the next one.
 */
export interface HealthCheck {
  enabled?: boolean;
  interval?: number;
  timeout?: number;
  sends?: CheckKind;
  endpoint?: string | null;
  expectStatus?: Array<number>;
  expectBody?: string | null;
  failures?: number;
}

export interface History {
  since?: string | null;
  limit?: number;
}

export interface HistoryEntries {
  entries: Array<HistoryEntry>;
}

/** ``at`` is when this text became the configuration, ``changes`` what it changed of the one before. */
export interface HistoryEntry {
  revision: string;
  /** RFC 3339, UTC. */
  at: string;
  changes: Array<string>;
  current: boolean;
}

/** ``data`` is base64 without line breaks or a data: prefix. */
export interface ImagePart {
  mimeType: string;
  data: string;
  type: "image";
}

/** A configuration as text: rooroute's own, Loom's, LiteLLM's or the simple guide's. ``pool`` names the pool that its routing goes to. */
export interface Import {
  text: string;
  pool?: string | null;
  /** Tell what would be done, and do nothing. */
  dryRun?: boolean;
  /** The user has seen and approved the addresses in it, plain http or changed. */
  approveOrigin?: boolean;
  /** The revision that a dry run told of; a stale one is a conflict. */
  configRevision?: string | null;
}

/** What became of every key of the text. */
export interface Imported {
  form: "loom" | "litellm" | "roocode" | "rooroute";
  profiles: Array<ImportedProfile>;
  pools: Array<ImportedEntry>;
  /** The fields of the defaults that change; only a configuration of rooroute's own has any. */
  defaults?: Array<string>;
  taken: Array<KeyTaken>;
  leftOut: Array<KeyLeftOut>;
  remarks: Array<string>;
  configRevision: string;
}

export interface ImportedEntry {
  id: string;
  change: "new" | "changed";
}

export interface ImportedProfile {
  id: string;
  change: "new" | "changed";
  /** Where its key is. ``notKept``: there was one, and no place to keep it. */
  key: "keyring" | "session" | "client" | "environment" | "none" | "notKept";
}

export interface KeyLeftOut {
  key: string;
  reason: string;
}

/** ``where`` is the profile or pool and the field that this key of the text acts in. */
export interface KeyTaken {
  key: string;
  where: string;
}

/** The profile asked when no other can answer: because of errors, because of limits, and with whose consent. */
export interface LastResort {
  profile: string;
  onError?: boolean;
  onRateLimit?: boolean;
  consent?: Consent;
}

/**
 * How speed is measured: the ``percentile`` (0 to 100) of the times to first token within the last ``window`` seconds.
 *
 * Every ``explore_every``-th request goes to whoever was not measured for longest (0: never), so that a slow moment is not for ever. Above
 * ``too_slow`` seconds a profile goes behind the others whatever the strategy (None: never). Under the strategy ``latency`` a member that
 * nobody has asked for ``probe_every`` seconds is asked a small question only to be measured, whose answer is paid for (None: never).
 */
export interface Latency {
  window?: number;
  percentile?: number;
  exploreEvery?: number;
  tooSlow?: number | null;
  probeEvery?: number | null;
}

/**
 * A limit the user set. ``holder`` is ``profile``, ``pool`` or ``tag`` and ``id`` its name; ``span`` is second, minute, hour, day,
 * calendarDay, month or (of requests at once) now. ``warning``: 80 % are used. Of requests per second ``rate`` is how many, and ``most``
 * how many of them may come at once.
 */
export interface LimitStatus {
  holder: "profile" | "pool" | "tag";
  id: string;
  measure: "requests" | "tokens" | "cost" | "concurrent";
  span: string;
  most: number;
  used: number;
  left: number;
  resetsAt?: string | null;
  warning: boolean;
  rate?: number | null;
}

/**
 * The most that may be asked within any second, minute, hour and day; None means no limit. Tokens count input and output.
 *
 * ``burst`` is how many requests may come at once where ``requests_per_second`` is set (None: a second's worth).
 */
export interface Limits {
  requestsPerSecond?: number | null;
  requestsPerMinute?: number | null;
  requestsPerHour?: number | null;
  requestsPerDay?: number | null;
  tokensPerSecond?: number | null;
  tokensPerMinute?: number | null;
  tokensPerHour?: number | null;
  tokensPerDay?: number | null;
  concurrentRequests?: number | null;
  burst?: number | null;
}

/** A saved profile by ``id``, or a draft in ``profile`` with its key beside it. */
export interface ListModels {
  id?: string | null;
  profile?: Profile | null;
  apiKey?: string | null;
  secrets?: Record<string, string>;
  refresh?: boolean;
}

/** One judgement that covers a profile, perhaps for one model only. */
export interface MarkStatus {
  scope: "endpoint" | "domain" | "profile";
  state: "watched" | "cooldown" | "failed";
  fault: string;
  holder?: string | null;
  model?: string | null;
  reason?: string | null;
  since?: string | null;
  until?: string | null;
  hinted?: boolean | null;
}

/** One turn. ``toolCallId`` says which call a message of role ``tool`` answers. */
export interface Message {
  role: "system" | "user" | "assistant" | "tool";
  content?: string | Array<TextPart | ImagePart | ThinkingPart>;
  toolCalls?: Array<ToolCall>;
  toolCallId?: string | null;
  isError?: boolean;
}

/** Prices in USD per million tokens; ``assumed`` names the fields that nobody told: a documented default stands there. */
export interface ModelInfo {
  id: string;
  name?: string | null;
  contextWindow?: number | null;
  maxTokens?: number | null;
  supportsImages?: boolean | null;
  supportsTools?: boolean | null;
  supportsPromptCache?: boolean | null;
  inputPrice?: number | null;
  outputPrice?: number | null;
  supportsComputerUse?: boolean | null;
  cacheReadPrice?: number | null;
  cacheWritePrice?: number | null;
  assumed?: Array<string>;
}

/**
 * ``fetchedAt`` is left out where the server was never heard: ``models`` are then the profile's own. ``problem`` tells why a newer
 * list could not be had, or that the profile's model is not in it.
 */
export interface Models {
  models: Array<ModelInfo>;
  fetchedAt?: string | null;
  stale: boolean;
  problem?: Problem | null;
}

/** What a request cannot do without. */
export type Need = "tools" | "images";

/** What happens when an answer breaks off after its first delta. */
export type OnInterrupt = "stop" | "restart" | "continue";

/**
 * Profiles in order of preference, and how to choose among them. Times in seconds; None falls back to ``Defaults``.
 *
 * ``max_attempts`` counts attempts of one request (None: one a candidate, and the most retries that one of them has, at least one); ``max_elapsed`` stops new attempts from starting.
 *
 * A request is led by the first rule it meets, then goes by tier (``tiers``: lists of profile ids, the best first; who is in none comes
 * last), then by strategy. ``weights`` are relative (1 where not named; 0: never by choice). ``model_routes`` names a profile by the
 * requested model (``*`` stands for anything) and ``default_route`` the one for all other models. ``split`` gives a profile that
 * percentage of the sessions. ``region`` binds every request. ``max_cost_per_token`` is USD and holds for input and output alike.
 * ``safety_net`` asks everybody once where cooldowns and failures would leave nobody; ``policy_fallback`` asks one other profile when a
 * content filter refused. ``leave_below`` (0 to 1) leaves a profile behind when that share of a quota told by the provider is left;
 * ``reset_first`` prefers the quota that resets first. ``max_switch_cost`` (USD) keeps a session where its prompt cache is warm as long as
 * going elsewhere would cost more. ``enabled`` False switches all of this off: the first enabled profile or nobody.
 */
export interface Pool {
  id: string;
  name?: string | null;
  profiles?: Array<string>;
  strategy?: Strategy;
  cooldown?: number | null;
  cooldownMode?: CooldownMode | null;
  revert?: Revert;
  maxWait?: number | null;
  maxAttempts?: number | null;
  maxElapsed?: number;
  onInterrupt?: OnInterrupt;
  enabled?: boolean;
  tiers?: Array<Array<string>>;
  weights?: Record<string, number>;
  modelRoutes?: Record<string, string>;
  defaultRoute?: string | null;
  rules?: Array<Rule>;
  split?: Record<string, number>;
  region?: string | null;
  latency?: Latency;
  maxPrice?: Ceiling | null;
  maxCostPerToken?: number | null;
  limits?: Limits | null;
  budget?: Budget | null;
  failover?: Failover;
  circuitBreaker?: CircuitBreaker | null;
  lastResort?: LastResort | null;
  safetyNet?: boolean;
  policyFallback?: boolean;
  leaveBelow?: number | null;
  resetFirst?: boolean;
  maxSwitchCost?: number | null;
}

export interface PoolSaved {
  pool: PoolStatus;
  configRevision: string;
}

/** ``current`` is where this window's next request goes, ``until`` when somebody returns if nobody can serve now. */
export interface PoolStatus {
  id: string;
  name: string;
  strategy: Strategy;
  profiles: Array<string>;
  state: "active" | "cooldown" | "failed" | "empty";
  current?: string | null;
  until?: string | null;
  reason?: string | null;
  /** What its latency probes send, how often, and what that costs; only where the user has switched them on. */
  probes?: string | null;
  /** Whose prices it goes by, where it goes by cost and the user did not type all of them. */
  prices?: string | null;
  /** The pool as it was saved, for editing; null for one that exists only because nothing was saved (every profile in order). */
  saved?: Pool | null;
}

/** USD per million tokens. */
export interface Price {
  input: number;
  output: number;
  cacheRead?: number | null;
  cacheWrite?: number | null;
}

/** From the cheapest to the dearest model, in USD per million tokens. */
export interface PriceRange {
  input: unknown[];
  output: unknown[];
}

/**
 * Something the user should mend. ``line`` is 1-based in the configuration file. A suggestion that the user may not want to hear again
 * names in ``dismissible`` the profiles to dismiss it for.
 */
export interface Problem {
  message: string;
  field?: string | null;
  remedy?: string | null;
  profileId?: string | null;
  line?: number | null;
  dismissible?: Array<string> | null;
}

/**
 * One saved API configuration.
 *
 * ``provider`` names a row of the provider table; ``models`` restricts what it may be asked for (empty: anything); ``model_map`` turns a
 * requested model's name into this profile's own. ``key_saved_at`` (RFC 3339) is written whenever a key goes into the keyring: it
 * is the key's age, and the change in the file by which other windows learn to read the key again. ``secret_commands`` are, by slot, the
 * programs that print what is kept nowhere. ``domain`` names a quota that several profiles share. ``options`` holds the vendor's
 * own fields (organization, project, apiVersion, deployments, location, …). ``max_retries`` is the profile's own say over
 * ``Failover.max_retries``; ``supports_tools`` and ``supports_images`` False keep requests away that need them (None: not known).
 */
export interface Profile {
  id: string;
  provider: string;
  name?: string | null;
  model?: string | null;
  models?: Array<string>;
  modelMap?: Record<string, string>;
  baseUrl?: string | null;
  apiKey?: string | null;
  secrets?: Record<string, string>;
  secretCommands?: Record<string, SecretCommand>;
  keySavedAt?: string | null;
  cooldown?: number | null;
  enabled?: boolean;
  domain?: string | null;
  lastResort?: boolean;
  headers?: Record<string, string>;
  query?: Record<string, string>;
  timeouts?: Timeouts;
  contextWindow?: number | null;
  price?: Price | null;
  tags?: Array<string>;
  region?: string | null;
  proxy?: string | null;
  notes?: string | null;
  options?: Record<string, unknown>;
  auth?: Auth | null;
  limits?: Limits | null;
  budget?: Budget | null;
  maxRetries?: number | null;
  supportsTools?: boolean | null;
  supportsImages?: boolean | null;
  healthCheck?: HealthCheck;
}

export interface ProfileAsSaved {
  profile: Profile;
  configRevision: string;
}

export interface ProfileChanged {
  profile: ProfileStatus;
}

/** Cost in USD. */
export interface ProfileFigures {
  requests: number;
  successRate?: number | null;
  medianFirstTokenMs?: number | null;
  p95FirstTokenMs?: number | null;
  inputTokens: number;
  outputTokens: number;
  cost?: number | null;
}

/**
 * By its last health check (``source`` ``check``) where the user wants checks, else by its last request. ``degraded``: fewer checks
 * have failed in a row than make it unhealthy. ``sends`` says what a check sends and costs.
 */
export interface ProfileHealth {
  source: "check" | "request";
  status: "healthy" | "degraded" | "unhealthy" | "unknown";
  latencyMs?: number | null;
  lastCheck?: string | null;
  error?: string | null;
  failures?: number | null;
  sends?: string | null;
}

export interface ProfileSaved {
  profile: ProfileStatus;
  configRevision: string;
}

/** What a user sees of a profile. */
export interface ProfileStatus {
  id: string;
  name: string;
  provider: string;
  model?: string | null;
  state: "active" | "cooldown" | "failed" | "disabled";
  reason?: string | null;
  until?: string | null;
  remedy?: string | null;
  probing?: boolean | null;
  secret: "keyring" | "environment" | "session" | "client" | "command" | "missing" | "notNeeded" | "unchecked";
  lastUsed?: string | null;
  lastError?: string | null;
  /** When the key was last saved, so that a client can tell its age. */
  keySavedAt?: string | null;
  notes?: string | null;
  /** Tokens the profile's model takes, where known; with the next four, what a client may offer to others as a model. */
  contextWindow?: number | null;
  maxTokens?: number | null;
  supportsTools?: boolean | null;
  supportsImages?: boolean | null;
  price?: Price | null;
  contextWindowSource?: Source | null;
  /** Who says so: the profile itself, its server, or the offline table of prices. What is merely assumed is not told here. */
  priceSource?: Source | null;
  marks?: Array<MarkStatus>;
  stats?: ProfileFigures | null;
  health?: ProfileHealth | null;
  quotas?: Array<QuotaStatus>;
  limits?: Array<LimitStatus>;
}

/** ``token`` is the request's ``partialResultToken``; the order is the order of delivery. */
export interface Progress {
  token: string | number;
  value: AttemptBegun | TextArrived | ThinkingArrived | ToolCallArrived | Waiting | Reset | UsageSeen | StageDone;
}

/**
 * What a wizard needs to ask for a profile of this vendor, and what helps to choose one: ``capabilities`` and ``regions`` in words,
 * the largest window (tokens) and the prices of its models where a table of prices is installed.
 */
export interface ProviderInfo {
  id: string;
  name: string;
  fields: Array<Record<string, unknown>>;
  presets: Array<Record<string, unknown>>;
  documentation?: string | null;
  capabilities?: Array<string>;
  regions?: string | null;
  largestWindow?: number | null;
  price?: PriceRange | null;
  keyPage?: string | null;
  statusPage?: string | null;
}

export interface Providers {
  providers: Array<ProviderInfo>;
}

/** What the provider said is left, as of its last answer. */
export interface QuotaStatus {
  measure: string;
  limit?: number | null;
  remaining: number;
  resetsAt?: string | null;
}

export interface ReadSecret {
  profileId: string;
  slot: string;
}

export interface Removed {
  profiles: Array<string>;
  pools: Array<string>;
}

export interface Rename {
  id: string;
  newId: string;
  configRevision?: string | null;
}

/** Drop what this request delivered so far; attempt ``n`` begins anew. */
export interface Reset {
  kind: "reset";
  n: number;
}

/** ``json``: any JSON object. ``jsonSchema``: one that ``schema`` describes, called ``name``. */
export interface ResponseFormat {
  type: "json" | "jsonSchema";
  name?: string | null;
  schema?: Record<string, unknown> | null;
}

/** ``text`` is a backup, or any text of rooroute's own form; it becomes the whole configuration. */
export interface Restore {
  text: string;
  configRevision?: string | null;
  /** Tell what would change, and do nothing. */
  dryRun?: boolean;
}

/**
 * ``changes`` are what the text changed of the configuration before it. ``gone`` are the profiles that are no longer there; ``undo``
 * within ten minutes brings them back with their keys.
 */
export interface Restored {
  changes: Array<string>;
  gone: Array<string>;
  configRevision: string;
}

/** When to go back to a better profile that has recovered. */
export type Revert = "session" | "turn" | "immediate" | "never";

/** ``rest`` in seconds also rests the profile left; ``to`` names the one to go to. */
export interface Rotate {
  pool?: string | null;
  to?: string | null;
  rest?: number | null;
}

export interface Rotated {
  from?: string | null;
  to: string;
}

/**
 * A request that meets ``when`` goes to ``profiles``, in the order of ``strategy`` (None: the pool's). The rest of the pool stands
 * behind them unless ``only`` is set. ``region`` binds the request to profiles of that region, wherever it goes on to.
 */
export interface Rule {
  name: string;
  when?: When;
  profiles?: Array<string>;
  strategy?: Strategy | null;
  only?: boolean;
  region?: string | null;
}

/** ``unmet`` names the first condition that the request does not meet. */
export interface RuleTried {
  name: string;
  fires: boolean;
  unmet?: string | null;
}

export interface SavePool {
  pool: Pool;
  configRevision?: string | null;
}

/** ``apiKey`` is short for the secret slot of that name; ``${NAME}`` there stores a reference to an environment variable. */
export interface SaveProfile {
  profile: Profile;
  apiKey?: string | null;
  secrets?: Record<string, string>;
  /** The revision this edit began from; a stale one is a conflict. Left out: the edit applies whatever the file holds. */
  configRevision?: string | null;
  /** The user has seen and approved that the key goes to this address, plain http or changed. */
  approveOrigin?: boolean;
}

/** ``defaults`` as a whole: a field that is left out has its default again. */
export interface SaveSettings {
  defaults: Defaults;
  /** The revision this edit began from; a stale one is a conflict. Left out: the edit applies whatever the file holds. */
  configRevision?: string | null;
}

/**
 * A program with its arguments that prints a secret, a vault's client for instance: run without a shell, for at most ``timeout``
 * seconds. What it printed is used for ``lifetime`` seconds where it does not tell its own end.
 */
export interface SecretCommand {
  command: Array<string>;
  timeout?: number;
  lifetime?: number;
}

/** ``value`` is null where the client holds none. */
export interface SecretValue {
  value: string | null;
}

export interface SetEnabled {
  id: string;
  enabled: boolean;
}

/** What holds where neither profile nor pool says otherwise, as it was saved; a field without a value is left out. */
export interface Settings {
  defaults: Defaults;
  configRevision: string;
}

/** Who says what a model costs and holds. */
export type Source = "yours" | "server" | "table";

export interface Stage {
  name: string;
  ok: boolean;
  durationMs: number;
  detail?: string | null;
  remedy?: string | null;
  /** The field of the profile that it is about: ``healthCheck.sends``. */
  field?: string | null;
}

/** One stage of ``profiles/test``. */
export interface StageDone {
  name: string;
  ok: boolean;
  durationMs: number;
  detail?: string | null;
  remedy?: string | null;
  /** The field of the profile that it is about: ``healthCheck.sends``. */
  field?: string | null;
  kind: "stage";
}

export interface Stats {
  since?: string | null;
  groupBy?: "profile" | "provider" | "model" | "day" | "tag" | "pool";
}

/** ``requests`` counts what was asked, ``attempts`` how often; rates leave out what was the caller's own doing. Costs in USD. */
export interface StatsRow {
  key: string;
  requests: number;
  attempts?: number | null;
  successes?: number | null;
  successRate?: number | null;
  errorRate?: number | null;
  /** The share of the minutes with an attempt in which somebody was answered. */
  uptime?: number | null;
  averageFirstTokenMs?: number | null;
  medianFirstTokenMs?: number | null;
  p90FirstTokenMs?: number | null;
  p95FirstTokenMs?: number | null;
  p99FirstTokenMs?: number | null;
  inputTokens: number;
  outputTokens: number;
  cachedInputTokens?: number | null;
  cacheWriteTokens?: number | null;
  reasoningTokens?: number | null;
  cost?: number | null;
  /** What 30 days would cost if they went on like this; told of a day or more. */
  costPerMonth?: number | null;
  /** By whose prices ``cost`` was reckoned. */
  priceSources?: Array<Source>;
  lastAt?: string | null;
}

export interface StatsRows {
  rows: Array<StatsRow>;
}

export interface Status {
  /** RFC 3339, UTC. */
  now: string;
  configRevision: string;
  stateRevision: number;
  /** "unchecked" until the keyring was tried, which begins by itself and may wait for the user to unlock it. */
  secretStore: "keyring" | "session" | "client" | "unchecked";
  profiles: Array<ProfileStatus>;
  pools: Array<PoolStatus>;
  problems: Array<Problem>;
  /** The configuration file, on the machine that runs the server. */
  configPath?: string | null;
  /** Where a request that names no pool goes. */
  defaultPool?: string | null;
  /** Of pools and tags; a profile's own stand with the profile. */
  limits?: Array<LimitStatus>;
}

/** Only what changed, also when another window changed it. */
export interface StatusChanged {
  /** RFC 3339, UTC. */
  now: string;
  configRevision: string;
  stateRevision: number;
  profiles: Array<ProfileStatus>;
  pools: Array<PoolStatus>;
  removed: Removed;
  secretStore?: "keyring" | "session" | "client" | "unchecked" | null;
  problems?: Array<Problem> | null;
  limits?: Array<LimitStatus> | null;
}

/** In which order the profiles of one tier are tried; ``routing.strategies`` has a function for each. */
export type Strategy = "priority" | "round_robin" | "weighted" | "cost" | "latency" | "least_busy" | "model";

/** A saved profile by ``id``, or a draft in ``profile`` with its key beside it. */
export interface TestProfile {
  id?: string | null;
  profile?: Profile | null;
  apiKey?: string | null;
  secrets?: Record<string, string>;
  level?: "connect" | "auth" | "completion";
  partialResultToken?: string | number | null;
}

/** ``curl`` is the last request of the test as a command for a shell, the key left out as ``$API_KEY``. */
export interface Tested {
  ok: boolean;
  stages: Array<Stage>;
  curl?: string | null;
  statusPage?: string | null;
}

export interface TextArrived {
  kind: "text";
  text: string;
}

export interface TextPart {
  text: string;
  type: "text";
}

export interface ThinkingArrived {
  kind: "thinking";
  text: string;
  signature?: string | null;
}

/** ``signature`` is opaque; it goes back only to the vendor that made it. */
export interface ThinkingPart {
  text: string;
  signature?: string | null;
  type: "thinking";
}

/** Seconds. ``first_token`` runs from the request's sending, ``idle`` between two pieces, ``total`` over the whole answer. */
export interface Timeouts {
  connect?: number;
  firstToken?: number;
  idle?: number;
  total?: number;
}

/** How a token endpoint is told the client's secret, by the registered names of RFC 7591, section 2. */
export type TokenEndpointAuthMethod = "client_secret_basic" | "client_secret_post";

/** ``parameters`` is a JSON Schema and reaches the provider equal as JSON. */
export interface Tool {
  name: string;
  parameters: Record<string, unknown>;
  description?: string | null;
}

/** ``arguments`` is a JSON document as text; ``signature`` as in ThinkingPart (Gemini's thought signatures sit on calls). */
export interface ToolCall {
  id: string;
  name: string;
  arguments: string;
  signature?: string | null;
}

export interface ToolCallArrived {
  kind: "toolCall";
  index: number;
  id?: string | null;
  name?: string | null;
  argumentsDelta?: string | null;
  signature?: string | null;
}

export interface ToolChoiceName {
  name: string;
}

/** ``revision`` is the one to go back to, or its beginning; without it the one before the last change. */
export interface Undo {
  revision?: string | null;
  configRevision?: string | null;
  /** Tell what would change, and do nothing. */
  dryRun?: boolean;
}

/** ``gone`` are the profiles that are no longer there; undoing this within ten minutes brings them back with their keys. */
export interface Undone {
  revision: string;
  /** RFC 3339, UTC. */
  at: string;
  changes: Array<string>;
  gone: Array<string>;
  configRevision: string;
}

/**
 * Tokens of one attempt. ``input_tokens`` includes cached ones, ``output_tokens`` includes reasoning; ``estimated`` is true where
 * the provider told nothing. ``cost`` is what the provider itself says it charged, in USD; None where it does not say.
 */
export interface Usage {
  inputTokens?: number;
  outputTokens?: number;
  cachedInputTokens?: number | null;
  cacheWriteTokens?: number | null;
  reasoningTokens?: number | null;
  estimated?: boolean;
  cost?: number | null;
}

/** Cumulative: the last one counts. */
export interface UsageSeen {
  kind: "usage";
  inputTokens: number;
  outputTokens: number;
  cachedInputTokens?: number | null;
  cacheWriteTokens?: number | null;
  reasoningTokens?: number | null;
  estimated: boolean;
}

/** Nobody can serve before ``until`` (null: not known); ``requests/retryNow`` and ``requests/skip`` end the wait. */
export interface Waiting {
  kind: "waiting";
  requestId: string;
  until: string | null;
  /** RFC 3339, UTC. */
  now: string;
  profileIds: Array<string>;
}

/**
 * The conditions of a rule; those given must all be met, and a list is met by any of its entries (``needs`` and ``tags``: by all).
 *
 * ``model`` is the requested name (``*`` stands for anything), ``language`` the file's. ``contains`` (case aside), ``pattern`` (a regular
 * expression) and the lengths in characters are about the last message of the user; the tokens about the whole request.
 */
export interface When {
  model?: Array<string>;
  mode?: Array<string>;
  task?: Array<string>;
  intent?: Array<string>;
  needs?: Array<Need>;
  contains?: Array<string>;
  pattern?: string | null;
  minLength?: number | null;
  maxLength?: number | null;
  minTokens?: number | null;
  maxTokens?: number | null;
  language?: Array<string>;
  tags?: Array<string>;
  region?: Array<string>;
  metadata?: Record<string, string>;
}

/**
 * ``because`` says why the first profile was chosen, ``switchCost`` (USD) what leaving the session's warm prompt cache cost, or would
 * have cost where the session stays for that. Of a
 * large pool only the first candidates are told; ``moreCandidates`` counts the others.
 */
export interface Why {
  request: Record<string, unknown>;
  candidates: Array<Candidate>;
  moreCandidates?: number;
  rule?: string | null;
  strategy: string;
  because?: string | null;
  region?: string | null;
  switchCost?: number | null;
  attempts: Array<AttemptExplained>;
}

export interface WriteSecret {
  profileId: string;
  slot: string;
  value: string;
}

/** The requests a client may send, by their name after "rooroute/". */
export interface Methods {
  /** Everything a status view shows. */
  "status": { params: Empty; result: Status };
  /** The vendors and what a wizard asks for each. */
  "providers": { params: Empty; result: Providers };
  /** One profile as it was saved. */
  "profiles/get": { params: ById; result: ProfileAsSaved };
  /** Create or change a profile. */
  "profiles/save": { params: SaveProfile; result: ProfileSaved };
  /** Copy a profile, its secret along on the server's side. */
  "profiles/duplicate": { params: DuplicateProfile; result: ProfileSaved };
  /** Delete a profile and its secret. */
  "profiles/delete": { params: DeleteById; result: Deleted };
  /** Undo a deletion, for ten minutes after it. */
  "profiles/restore": { params: ById; result: ProfileSaved };
  /** Give a profile another id, in the pools and for its secret too. */
  "profiles/rename": { params: Rename; result: ProfileSaved };
  /** Switch a profile on or off. */
  "profiles/setEnabled": { params: SetEnabled; result: ProfileChanged };
  /** Forget a profile's marks. */
  "profiles/reset": { params: ById; result: ProfileChanged };
  /** Tell no more that these profiles seem to share a quota. */
  "profiles/dismiss": { params: Dismiss; result: Empty };
  /** Try a profile, saved or draft; its stages come as progress of kind stage. */
  "profiles/test": { params: TestProfile; result: Tested };
  /** The models a profile can be asked for. */
  "profiles/models": { params: ListModels; result: Models };
  /** Create or change a pool. */
  "pools/save": { params: SavePool; result: PoolSaved };
  /** Delete a pool; its profiles stay. */
  "pools/delete": { params: DeleteById; result: Deleted };
  /** Give a pool another id. */
  "pools/rename": { params: Rename; result: PoolSaved };
  /** What holds where no profile or pool says more. */
  "settings/get": { params: Empty; result: Settings };
  /** Change what holds for all. */
  "settings/save": { params: SaveSettings; result: Settings };
  /** Bring in a configuration of rooroute's own or another program's. */
  "import": { params: Import; result: Imported };
  /** The configuration as text, without secrets. */
  "export": { params: Export; result: Exported };
  /** What changed in the configuration, and when. */
  "history": { params: History; result: HistoryEntries };
  /** Put a former configuration back. */
  "undo": { params: Undo; result: Undone };
  /** The configuration file as it stands, comments and all. */
  "backup": { params: Empty; result: BackedUp };
  /** Make a backup the configuration again. */
  "restore": { params: Restore; result: Restored };
  /** Move this window to the next profile that can serve; running answers go on. */
  "rotate": { params: Rotate; result: Rotated };
  /** Get a request answered, streaming with a token. */
  "complete": { params: Complete; result: Completed };
  /** Try now what a waiting request waits for. */
  "requests/retryNow": { params: ByRequest; result: Empty };
  /** Stop waiting for the profile being waited for. */
  "requests/skip": { params: ByRequest; result: Empty };
  /** Why a request went where it went. */
  "why": { params: ByRequest; result: Why };
  /** Who would answer a request, and why; it is not sent. */
  "dryRun": { params: DryRun; result: DryRunResult };
  /** Counts, times, tokens and cost. */
  "stats": { params: Stats; result: StatsRows };
}
