/** What may be set of a profile beyond what its vendor asks for: a table, in groups that open. */
import type { AskedField } from "../src/catalogue";
import type { AuthKind, CheckKind, Profile, TokenEndpointAuthMethod } from "../src/protocol";
import { LIMITING } from "./settings";

export interface ProfileField extends Omit<AskedField, "kind" | "choices"> {
  /** `codes` are numbers between commas, `lines` entries of a list, `exact` is text with its spaces; a `yes-no` may also be unknown. */
  kind: AskedField["kind"] | "codes" | "exact" | "lines" | "yes-no" | "words";
  choices?: string[];
  /** Of `words`: each value and what it is called. */
  words?: Record<string, string>;
  /** Of `words` and `yes-no`: what it is called when nothing is set. */
  none?: string;
}

export interface FieldGroup {
  id: string;
  title: string;
  help?: string;
  fields: ProfileField[];
}

export const MORE: ProfileField[] = [
  {
    name: "cooldown",
    label: "Cooldown in seconds",
    kind: "number",
    help: "How long it rests after a limit where the provider names no time. Empty: the pool's.",
  },
  {
    name: "domain",
    label: "Quota domain",
    kind: "text",
    help: "Profiles of one project, organization or account rest together when they have the same word here.",
  },
  {
    name: "region",
    label: "Region",
    kind: "text",
    help: "Where it runs, in a word of yours: rules and pools keep requests in a region by it.",
    placeholder: "eu",
  },
  { name: "notes", label: "Notes", kind: "text" },
];

const number = (name: string, label: string, help?: string): ProfileField => ({ name, label, kind: "number", help });

const MODELS: ProfileField[] = [
  {
    name: "models",
    label: "It may be asked for",
    kind: "list",
    help: "Names of models, commas between several. Empty: for any.",
  },
  {
    name: "modelMap",
    label: "What it calls a model",
    kind: "object",
    help: "A line each: the name that is asked for = the name here.",
  },
  number("contextWindow", "Window in tokens", "Empty: as its list of models says."),
  {
    name: "supportsTools",
    label: "Takes tools",
    kind: "yes-no",
    none: "Not known",
    help: "“No” keeps requests with tools away from it.",
  },
  {
    name: "supportsImages",
    label: "Takes images",
    kind: "yes-no",
    none: "Not known",
    help: "“No” keeps requests with images away from it.",
  },
];

const LIMITS: ProfileField[] = [
  ...LIMITING.map(({ path, label, help }): ProfileField => number(path.join("."), label, help)),
  number("price.input", "Price of input, USD per million tokens", "A budget in money needs it."),
  number("price.output", "Price of output, USD per million tokens"),
  number("price.cacheRead", "Price of input read from a cache", "USD per million tokens. Empty: as other input."),
  number("price.cacheWrite", "Price of input written to a cache", "USD per million tokens. Empty: as other input."),
  { name: "tags", label: "Tags", kind: "list", help: "Commas between several. A tag may have a budget." },
  number("maxRetries", "Retries within one request", "Empty: the pool's. Each may be charged."),
  {
    name: "lastResort",
    label: "Only when no other can answer",
    kind: "boolean",
    help: "A last resort of every pool that it is in.",
  },
];

/** Whole by type, as the kinds of authentication below: what the backend learns has to be named here. */
const CHECKS: Record<CheckKind, string> = {
  list: "the list of models: costs no tokens",
  completion: "a short question: its answer is paid for",
};

function checks(profile: Profile): ProfileField[] {
  const { interval = 60, sends } = profile.healthCheck ?? {};
  const daily = Math.round(86_400 / Math.max(1, interval)).toLocaleString("en");
  return [
    {
      name: "healthCheck.enabled",
      label: "Ask regularly whether it answers",
      kind: "boolean",
      help: "One window of this machine asks for all of them.",
    },
    {
      name: "healthCheck.sends",
      label: "It is asked for",
      kind: "words",
      words: CHECKS,
      none: `As usual: ${CHECKS.list}`,
      help:
        sends === "completion"
          ? `Costs money: up to ${daily} answers a day of up to 16 tokens each, within its limits and budget.`
          : "A question instead costs up to 16 tokens of output each time.",
    },
    number("healthCheck.interval", "Seconds between two checks", "Empty: 60."),
    number("healthCheck.timeout", "Seconds one check may take", "Empty: 5."),
    number("healthCheck.failures", "Failed checks in a row that rest it", "Empty: 3."),
    {
      name: "healthCheck.endpoint",
      label: "Path to ask",
      kind: "text",
      placeholder: "/health",
      help: "Empty: the list of models. The key goes along.",
    },
    {
      name: "healthCheck.expectStatus",
      label: "HTTP statuses that are healthy",
      kind: "codes",
      help: "Commas between several. Empty: any of 200 to 299.",
    },
    {
      name: "healthCheck.expectBody",
      label: "What a healthy answer contains",
      kind: "text",
      help: "Empty: anything.",
    },
  ];
}

const CONNECTION: ProfileField[] = [
  { name: "baseUrl", label: "Base URL", kind: "url", help: "Empty: the vendor's own." },
  { name: "proxy", label: "Proxy", kind: "url", help: "Requests go through it. Empty: as the machine is set up." },
  {
    name: "headers",
    label: "Headers",
    kind: "object",
    help: "A line each: name = value. A secret is written ${secret:NAME} and asked for under Authentication.",
  },
  { name: "query", label: "Query parameters", kind: "object", help: "A line each: name = value." },
  number("timeouts.connect", "Seconds to connect", "Empty: 10."),
  number("timeouts.firstToken", "Seconds until the first token", "Then the next profile is asked. Empty: 60."),
  number("timeouts.idle", "Seconds between two pieces", "Empty: 60."),
  number("timeouts.total", "Seconds for a whole answer", "Empty: 600."),
  {
    name: "options",
    label: "All of the vendor's options",
    kind: "object",
    help: "Lines of name = value, or JSON. Those with a field of their own are in here too.",
  },
];

const KINDS: Record<AuthKind, string> = {
  "key-header": "the key in a header",
  "key-query": "the key as a query parameter",
  "bearer": "the key as a bearer token",
  "basic": "user name and password (the key)",
  "token-command": "a token that a program prints",
  "oauth-client-credentials": "OAuth client credentials",
  "mtls": "a client certificate",
  "signature-command": "a program that signs each request",
};

const METHODS: Record<TokenEndpointAuthMethod, string> = {
  client_secret_basic: "in the header",
  client_secret_post: "in the form",
};
const COMMANDS: AuthKind[] = ["token-command", "signature-command"];
const TOKENS: AuthKind[] = ["token-command", "oauth-client-credentials"];
const CARRIED: AuthKind[] = ["key-header", "bearer", ...TOKENS];

/** Which kinds each field is for. */
const AUTH: [ProfileField, AuthKind[]][] = [
  [{ name: "auth.name", label: "Name of the header or parameter", kind: "text" }, [...CARRIED, "key-query"]],
  [
    { name: "auth.prefix", label: "What stands before it", kind: "exact", help: "“Token ”, for instance." },
    [...CARRIED, "key-query"],
  ],
  [{ name: "auth.username", label: "User name", kind: "text" }, ["basic"]],
  [
    {
      name: "auth.command",
      label: "Program and its arguments",
      kind: "lines",
      help: "A line each. It is run on this machine with your rights, without a shell.",
    },
    COMMANDS,
  ],
  [number("auth.timeout", "Seconds the program may take", "Empty: 10."), COMMANDS],
  [number("auth.lifetime", "Seconds a token is used for", "Where it does not tell itself. Empty: 300."), TOKENS],
  [
    { name: "auth.tokenUrl", label: "Token endpoint", kind: "url", help: "The client's secret is sent there." },
    ["oauth-client-credentials"],
  ],
  [{ name: "auth.clientId", label: "Client id", kind: "text" }, ["oauth-client-credentials"]],
  [
    {
      name: "auth.tokenEndpointAuthMethod",
      label: "The client's secret is told",
      kind: "words",
      words: METHODS,
      none: `As usual: ${METHODS.client_secret_basic}`,
    },
    ["oauth-client-credentials"],
  ],
  [{ name: "auth.scope", label: "Scope", kind: "text" }, ["oauth-client-credentials"]],
  [{ name: "auth.audience", label: "Audience", kind: "text" }, ["oauth-client-credentials"]],
  [{ name: "auth.certificate", label: "Certificate", kind: "file", help: "The path of a PEM file." }, ["mtls"]],
  [
    { name: "auth.certificateKey", label: "The certificate's key", kind: "file", help: "The path of a PEM file." },
    ["mtls"],
  ],
];

/** What the backend fills in where nothing is set, also where the kind has no use for it. */
const USUAL: Record<string, unknown> = {
  "auth.timeout": 10,
  "auth.lifetime": 300,
  "auth.tokenEndpointAuthMethod": "client_secret_basic",
};

function authentication(profile: Profile): ProfileField[] {
  const { auth } = profile;
  const held = (name: string) => (auth as Record<string, unknown> | undefined | null)?.[name.slice("auth.".length)];
  return [
    {
      name: "auth.kind",
      label: "It proves who asks by",
      kind: "words",
      words: KINDS,
      none: "As usual for the vendor",
    },
    ...(auth
      ? AUTH.filter(
          ([field, kinds]) =>
            kinds.includes(auth.kind) || ![undefined, null, USUAL[field.name]].includes(held(field.name)),
        ).map(([field]) => field)
      : []),
    ...slotsOf(profile).map((slot): ProfileField => ({
      name: `secrets.${slot}`,
      label: `Secret “${slot}”`,
      kind: "secret",
      help: "Goes to the store of keys; ${NAME} refers to an environment variable.",
    })),
    ...commandsOf(profile),
  ];
}

/** For each secret, the program that may print it. */
function commandsOf(profile: Profile): ProfileField[] {
  const { auth, secretCommands = {} } = profile;
  const key = auth && TOKENS.includes(auth.kind) && !secretCommands.apiKey ? [] : ["apiKey"];
  return [...key, ...slotsOf(profile)].flatMap((slot) => {
    const called = slot === "apiKey" ? "the key" : `“${slot}”`;
    const of = `secretCommands.${slot}`;
    const command: ProfileField = {
      name: `${of}.command`,
      label: `Program that prints ${called}`,
      kind: "lines",
      help: "Instead of keeping it: a vault's client and its arguments, a line each. Run on this machine with your rights, without a shell.",
    };
    if (!secretCommands[slot]) return [command];
    return [
      command,
      number(`${of}.timeout`, `Seconds the program for ${called} may take`, "Empty: 10."),
      number(`${of}.lifetime`, `Seconds ${called} is used for`, "Where what is printed does not tell. Empty: 300."),
    ];
  });
}

/** The named secrets that a profile refers to, beside its key. */
export function slotsOf(profile: Profile): string[] {
  const named = [...Object.values(profile.headers ?? {}), ...Object.values(profile.query ?? {})].flatMap(
    (value) => /\$\{secret:([A-Za-z][\w-]*)\}$/.exec(String(value))?.[1] ?? [],
  );
  const client = profile.auth?.kind === "oauth-client-credentials" ? ["clientSecret"] : [];
  return [...new Set([...client, ...named, ...Object.keys({ ...profile.secrets, ...profile.secretCommands })])].filter(
    (slot) => slot !== "apiKey",
  );
}

/** `asked` are the names of the fields that the vendor asks for itself. */
export function groupsOf(profile: Profile, asked: readonly string[]): FieldGroup[] {
  const all: FieldGroup[] = [
    { id: "limits", title: "Limits, budget, price", fields: LIMITS },
    { id: "models", title: "Models and what they take", fields: MODELS },
    {
      id: "checks",
      title: "Health checks",
      help: "Without them it is judged by its requests, which costs nothing more.",
      fields: checks(profile),
    },
    { id: "connection", title: "Address, headers, time limits", fields: CONNECTION },
    {
      id: "auth",
      title: "Authentication",
      help: "Further secrets are asked for here as soon as a header or the kind of authentication needs them.",
      fields: authentication(profile),
    },
  ];
  return all.map((group) => ({ ...group, fields: group.fields.filter(({ name }) => !asked.includes(name)) }));
}
