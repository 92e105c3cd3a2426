/* Generated from protocol/openrpc.json by `npm run generate`. Do not edit. */

export const PROTOCOL_VERSION = "1.0";

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
  scope?: string | null;
  audience?: string | null;
  certificate?: string | null;
  certificateKey?: string | null;
}

/** How a request proves who sends it, where it is not the vendor's usual way. */
export type AuthKind = "key-header" | "key-query" | "bearer" | "basic" | "token-command" | "oauth-client-credentials" | "mtls" | "signature-command";

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

/** ``hint_first``: the provider's time, else the configured one. ``max``: never shorter than configured. ``fixed``: exactly it. */
export type CooldownMode = "hint_first" | "max" | "fixed";

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

/** ``data`` is base64 without line breaks or a data: prefix. */
export interface ImagePart {
  mimeType: string;
  data: string;
  type: "image";
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

/** What happens when an answer breaks off after its first delta. */
export type OnInterrupt = "stop" | "restart" | "continue";

/**
 * Profiles in order of preference, and how to choose among them. Times in seconds; None falls back to ``Defaults``.
 *
 * ``max_attempts`` counts attempts of one request (None: candidates + 1); ``max_elapsed`` stops new attempts from starting.
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

/** Something the user should mend. ``line`` is 1-based in the configuration file. */
export interface Problem {
  message: string;
  field?: string | null;
  remedy?: string | null;
  profileId?: string | null;
  line?: number | null;
}

/**
 * One saved API configuration.
 *
 * ``provider`` names a row of the provider table; ``models`` restricts what it may be asked for (empty: anything); ``model_map`` turns a
 * requested model's name into this profile's own. ``key_saved_at`` (RFC 3339) is written whenever a key goes into the keyring: it
 * is the key's age, and the change in the file by which other windows learn to read the key again. ``domain`` names a quota that several profiles share. ``options`` holds the vendor's
 * own fields (organization, project, apiVersion, deployments, location, …).
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
  secret: "keyring" | "environment" | "session" | "client" | "missing" | "notNeeded";
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
  marks?: Array<MarkStatus>;
  stats?: ProfileFigures | null;
}

/** ``token`` is the request's ``partialResultToken``; the order is the order of delivery. */
export interface Progress {
  token: string | number;
  value: AttemptBegun | TextArrived | ThinkingArrived | ToolCallArrived | Waiting | Reset | UsageSeen | StageDone;
}

/** What a wizard needs to ask for a profile of this vendor. */
export interface ProviderInfo {
  id: string;
  name: string;
  fields: Array<Record<string, unknown>>;
  presets: Array<Record<string, unknown>>;
  documentation?: string | null;
}

export interface Providers {
  providers: Array<ProviderInfo>;
}

export interface ReadSecret {
  profileId: string;
  slot: string;
}

export interface Removed {
  profiles: Array<string>;
  pools: Array<string>;
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

/** ``value`` is null where the client holds none. */
export interface SecretValue {
  value: string | null;
}

export interface SetEnabled {
  id: string;
  enabled: boolean;
}

export interface Stage {
  name: string;
  ok: boolean;
  durationMs: number;
  detail?: string | null;
  remedy?: string | null;
}

/** One stage of ``profiles/test``. */
export interface StageDone {
  name: string;
  ok: boolean;
  durationMs: number;
  detail?: string | null;
  remedy?: string | null;
  kind: "stage";
}

export interface Stats {
  since?: string | null;
  groupBy?: "profile" | "model" | "day";
}

export interface StatsRow {
  key: string;
  requests: number;
  successes?: number | null;
  successRate?: number | null;
  medianFirstTokenMs?: number | null;
  p90FirstTokenMs?: number | null;
  p95FirstTokenMs?: number | null;
  p99FirstTokenMs?: number | null;
  inputTokens: number;
  outputTokens: number;
  cost?: number | null;
}

export interface StatsRows {
  rows: Array<StatsRow>;
}

export interface Status {
  /** RFC 3339, UTC. */
  now: string;
  configRevision: string;
  stateRevision: number;
  secretStore: "keyring" | "session" | "client";
  profiles: Array<ProfileStatus>;
  pools: Array<PoolStatus>;
  problems: Array<Problem>;
  /** The configuration file, on the machine that runs the server. */
  configPath?: string | null;
  /** Where a request that names no pool goes. */
  defaultPool?: string | null;
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
}

export type Strategy = "priority" | "round_robin";

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

/**
 * Tokens of one attempt. ``input_tokens`` includes cached ones, ``output_tokens`` includes reasoning; ``estimated`` is true where
 * the provider told nothing.
 */
export interface Usage {
  inputTokens?: number;
  outputTokens?: number;
  cachedInputTokens?: number | null;
  cacheWriteTokens?: number | null;
  reasoningTokens?: number | null;
  estimated?: boolean;
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

export interface Why {
  request: Record<string, unknown>;
  candidates: Array<Candidate>;
  rule?: string | null;
  strategy: string;
  attempts: Array<Attempt>;
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
  /** Switch a profile on or off. */
  "profiles/setEnabled": { params: SetEnabled; result: ProfileChanged };
  /** Forget a profile's marks. */
  "profiles/reset": { params: ById; result: ProfileChanged };
  /** Try a profile, saved or draft; its stages come as progress of kind stage. */
  "profiles/test": { params: TestProfile; result: Tested };
  /** The models a profile can be asked for. */
  "profiles/models": { params: ListModels; result: Models };
  /** Create or change a pool. */
  "pools/save": { params: SavePool; result: PoolSaved };
  /** Delete a pool; its profiles stay. */
  "pools/delete": { params: DeleteById; result: Deleted };
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
  /** Counts, times, tokens and cost. */
  "stats": { params: Stats; result: StatsRows };
}
