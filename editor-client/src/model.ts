/** Each pool, and if wanted each profile, as a language model for every extension that asks VS Code for one. */
import * as vscode from "vscode";
import type { Backend } from "./backend";
import type { Completions } from "./complete";
import type { Complete, Completed, ImagePart, Message, PoolStatus, ProfileStatus, TextPart } from "./protocol";
import { membersOf, type Snapshot } from "./status";
import { estimateTokens } from "./words";

interface Offer extends vscode.LanguageModelChatInformation {
  readonly target: { pool: string } | { profile: string };
  /** Read by newer editors: models of other vendors are hidden from the picker otherwise. */
  readonly isUserSelectable: boolean;
}

/** Where nobody knows better: a window that every current model has. */
const ASSUMED_INPUT = 128_000;
const ASSUMED_OUTPUT = 8_192;

const known = (values: (number | null | undefined)[]) =>
  values.filter((value): value is number => typeof value === "number" && value > 0);

/** What the members have in common: the smallest window, and an ability only if no member is known to lack it. */
function offer(
  id: string,
  name: string,
  detail: string,
  members: readonly ProfileStatus[],
  target: Offer["target"],
): Offer {
  const windows = known(members.map((member) => member.contextWindow));
  const outputs = known(members.map((member) => member.maxTokens));
  const output = outputs.length ? Math.min(...outputs) : ASSUMED_OUTPUT;
  const window = windows.length ? Math.min(...windows) : ASSUMED_INPUT;
  return {
    id,
    name,
    family: id,
    version: "1",
    detail,
    tooltip: members.map((member) => member.name).join(" → "),
    maxInputTokens: Math.max(1, window - Math.min(output, Math.floor(window / 2))),
    maxOutputTokens: output,
    capabilities: {
      toolCalling: members.every((member) => member.supportsTools !== false),
      imageInput: members.every((member) => member.supportsImages !== false),
    },
    isUserSelectable: true,
    target,
  };
}

export function offers(snapshot: Snapshot, perProfile: boolean): Offer[] {
  const usable = (profiles: ProfileStatus[]) => profiles.filter((profile) => profile.state !== "disabled");
  const pools = snapshot.pools.flatMap((pool: PoolStatus) => {
    const members = usable(membersOf(pool, snapshot));
    return members.length ? [offer(pool.id, pool.name ?? pool.id, "rooroute pool", members, { pool: pool.id })] : [];
  });
  const profiles = perProfile
    ? usable(snapshot.profiles).map((one) =>
        offer(`profile/${one.id}`, one.name, "rooroute profile", [one], { profile: one.id }),
      )
    : [];
  return [...pools, ...profiles];
}

/** Asked of parts by shape, not by class: which classes exist depends on the editor's version. */
interface AnyPart {
  value?: unknown;
  data?: unknown;
  mimeType?: unknown;
  callId?: unknown;
  name?: unknown;
  input?: unknown;
  content?: unknown;
}

const textOf = (parts: readonly unknown[]): string =>
  parts
    .map((part) => (typeof part === "string" ? part : ((part as AnyPart).value ?? "")))
    .map((value) => (typeof value === "string" ? value : JSON.stringify(value)))
    .join("");

/** One message of the editor may hold a turn and the results of several tools: the protocol has a message for each. */
export function toMessages(messages: readonly vscode.LanguageModelChatRequestMessage[]): Message[] {
  return messages.flatMap((message) => {
    const role =
      message.role === vscode.LanguageModelChatMessageRole.Assistant
        ? "assistant"
        : message.role === vscode.LanguageModelChatMessageRole.User
          ? "user"
          : "system";
    const results: Message[] = [];
    const parts: (TextPart | ImagePart)[] = [];
    const toolCalls: NonNullable<Message["toolCalls"]> = [];
    for (const part of message.content as readonly AnyPart[]) {
      if (typeof part.callId === "string" && Array.isArray(part.content))
        results.push({ role: "tool", toolCallId: part.callId, content: textOf(part.content) });
      else if (typeof part.callId === "string")
        toolCalls.push({ id: part.callId, name: String(part.name), arguments: JSON.stringify(part.input ?? {}) });
      else if (typeof part.value === "string") parts.push({ type: "text", text: part.value });
      else if (part.data instanceof Uint8Array && String(part.mimeType).startsWith("image/"))
        parts.push({ type: "image", mimeType: String(part.mimeType), data: Buffer.from(part.data).toString("base64") });
    }
    const plainText = parts.every((part) => part.type === "text");
    const content = plainText ? parts.map((part) => (part.type === "text" ? part.text : "")).join("") : parts;
    const turn: Message = { role, content, ...(toolCalls.length ? { toolCalls } : {}) };
    return parts.length || toolCalls.length || !results.length ? [...results, turn] : results;
  });
}

function toParams(
  model: Offer,
  messages: readonly vscode.LanguageModelChatRequestMessage[],
  options: vscode.ProvideLanguageModelChatResponseOptions,
): Complete {
  const tools = options.tools?.map((tool) => ({
    name: tool.name,
    description: tool.description,
    parameters: (tool.inputSchema ?? { type: "object", properties: {} }) as Record<string, unknown>,
  }));
  const wanted = options.modelOptions ?? {};
  const number = (...names: string[]) =>
    names.map((name) => wanted[name]).find((value): value is number => typeof value === "number");
  const [temperature, maxTokens, topP] = [
    number("temperature"),
    number("maxTokens", "max_tokens"),
    number("topP", "top_p"),
  ];
  return {
    ...model.target,
    messages: toMessages(messages),
    ...(tools?.length
      ? { tools, toolChoice: options.toolMode === vscode.LanguageModelChatToolMode.Required ? "required" : "auto" }
      : {}),
    ...(temperature === undefined ? {} : { temperature }),
    ...(maxTokens === undefined ? {} : { maxTokens }),
    ...(topP === undefined ? {} : { topP }),
    // What was given to progress.report cannot be taken back.
    onInterrupt: "stop",
  };
}

/** The backend's error as the kind of error the language model API knows. */
export function toModelError(error: unknown): Error {
  const { data, message } = error as { data?: { kind?: string }; message?: string };
  const text = message ?? String(error);
  switch (data?.kind) {
    case "notFound":
    case "noProfiles":
      return vscode.LanguageModelError.NotFound(text);
    case "allFailed":
    case "secretUnavailable":
    case "originNotApproved":
      return vscode.LanguageModelError.NoPermissions(text);
    case "allCoolingDown":
    case "budgetExceeded":
    case "contentFiltered":
    case "overloaded":
      return vscode.LanguageModelError.Blocked(text);
    default:
      return error instanceof Error ? error : new Error(text);
  }
}

/** `cut`: the answer reached its length limit in this call or behind it, so its arguments may be missing, not none. */
function argumentsOf({ name, json }: { name: string; json: string }, cut: boolean): object {
  try {
    return JSON.parse(json || (cut ? "" : "{}")) as object;
  } catch {
    throw new Error(
      cut
        ? `The answer reached its length limit within a call of ${name}; raise the limit or ask for less.`
        : `The model called ${name} with arguments that are not JSON; ask again, or ask another model.`,
    );
  }
}

export class PoolModels implements vscode.LanguageModelChatProvider<Offer>, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onDidChangeLanguageModelChatInformation = this.changed.event;
  private readonly subscriptions: vscode.Disposable[];
  private told = "";

  constructor(
    private readonly backend: Backend,
    private readonly completions: Completions,
  ) {
    const look = () => this.tellOfChange();
    this.subscriptions = [
      backend.onDidChangeStatus(look),
      vscode.workspace.onDidChangeConfiguration((event) => event.affectsConfiguration("rooroute.models") && look()),
    ];
  }

  async provideLanguageModelChatInformation(): Promise<Offer[]> {
    if (!this.backend.status) await this.backend.refresh().catch(() => undefined);
    return this.offers();
  }

  async provideLanguageModelChatResponse(
    model: Offer,
    messages: readonly vscode.LanguageModelChatRequestMessage[],
    options: vscode.ProvideLanguageModelChatResponseOptions,
    progress: vscode.Progress<vscode.LanguageModelResponsePart>,
    token: vscode.CancellationToken,
  ): Promise<void> {
    const calls = new Map<number, { id: string; name: string; json: string }>();
    let result: Completed;
    try {
      result = await this.completions.stream(
        toParams(this.offers().find((offered) => offered.id === model.id) ?? model, messages, options),
        (delta) => {
          if (delta.kind === "text") progress.report(new vscode.LanguageModelTextPart(delta.text));
          if (delta.kind !== "toolCall") return;
          const call = calls.get(delta.index) ?? { id: "", name: "", json: "" };
          calls.set(delta.index, {
            id: delta.id ?? call.id,
            name: delta.name ?? call.name,
            json: call.json + (delta.argumentsDelta ?? ""),
          });
        },
        token,
      );
    } catch (error) {
      if (token.isCancellationRequested) throw new vscode.CancellationError();
      throw toModelError(error);
    }
    // All calls are handed on, whole, or none: the API has no fragments, and an answer that broke off must not run a tool.
    const last = [...calls.values()].at(-1);
    const whole = [...calls.values()].map((call) => {
      const cut = result.finishReason === "length" && call === last;
      return new vscode.LanguageModelToolCallPart(call.id, call.name, argumentsOf(call, cut));
    });
    whole.forEach((part) => progress.report(part));
  }

  /** Local and rough on purpose: it is called for every message of every prompt. */
  async provideTokenCount(_model: Offer, text: string | vscode.LanguageModelChatRequestMessage): Promise<number> {
    return estimateTokens(typeof text === "string" ? text : textOf(text.content));
  }

  dispose(): void {
    for (const subscription of this.subscriptions) subscription.dispose();
    this.changed.dispose();
  }

  private offers(): Offer[] {
    const perProfile = vscode.workspace.getConfiguration("rooroute.models").get("perProfile", false);
    return this.backend.status ? offers(this.backend.status, perProfile) : [];
  }

  private tellOfChange(): void {
    const now = JSON.stringify(this.offers());
    if (now === this.told) return;
    this.told = now;
    this.changed.fire();
  }
}
