/** One streamed request, with what the user sees around it: the countdown of a wait, and who answered instead. */
import { randomUUID } from "node:crypto";
import * as vscode from "vscode";
import type { Backend } from "./backend";
import type {
  Complete,
  Completed,
  ErrorData,
  Progress,
  Reset,
  TextArrived,
  ThinkingArrived,
  ToolCallArrived,
  Waiting as WaitingSeen,
} from "./protocol";
import { countdown, plain } from "./words";

export type Delta = TextArrived | ThinkingArrived | ToolCallArrived | Reset;

type WaitReport = vscode.Progress<{ message?: string }>;

/** The request that ran last in this window, for "Explain Last Request". */
let last: string | undefined;
export const lastRequest = (): string | undefined => last;

export class Completions {
  private readonly toldOf = new Map<string, number>();

  constructor(private readonly backend: Backend) {}

  /**
   * Streams one request. `deliver` is called in order with what arrived; it must be quick.
   * Throws what the backend answered; a cancellation throws too. A wait is told to `progress` where there is one, else in a notification
   * of its own.
   */
  async stream(
    params: Complete,
    deliver: (delta: Delta) => void,
    token: vscode.CancellationToken,
    progress?: WaitReport,
  ): Promise<Completed> {
    const partialResultToken = randomUUID();
    const wait = new Waiting(progress);
    const linked = new vscode.CancellationTokenSource();
    const follow = token.onCancellationRequested(() => linked.cancel());
    wait.onCancel = () => linked.cancel();
    const listening = await this.backend.listen(partialResultToken, (value: Progress["value"]) => {
      switch (value.kind) {
        case "attempt":
          last = value.requestId;
          return wait.over();
        case "waiting":
          last = value.requestId;
          return wait.until(value, this.backend.status);
        case "usage":
        case "stage":
          return;
        default:
          deliver(value);
      }
    });
    try {
      const send = (more: Partial<Complete>) =>
        this.backend.request("complete", { ...params, ...more, partialResultToken }, linked.token);
      const result = await send({}).catch(async (error: unknown) => {
        const consent = await this.askForConsent(error);
        if (!consent) throw error;
        return send({ consent });
      });
      last = result.requestId;
      this.tellOfFallback(result);
      return result;
    } finally {
      wait.over();
      listening.dispose();
      follow.dispose();
      linked.dispose();
    }
  }

  /** Where only the last resort is left and it wants a yes: asks for it. Undefined: there is none. */
  private async askForConsent(error: unknown): Promise<Complete["consent"]> {
    const data = (error as { data?: ErrorData }).data;
    if (data?.kind !== "consentNeeded" || !data.consent) return undefined;
    const { profileId, pool } = data.consent;
    const status = this.backend.status;
    const name = status?.profiles.find((profile) => profile.id === profileId)?.name ?? profileId;
    const answer = await vscode.window.showWarningMessage(
      `Nobody else can answer now. May the last resort, ${plain(name)}, be asked? It may cost money.`,
      { modal: true },
      "Allow Once",
      "Allow for This Session",
      "Never",
    );
    if (answer === "Never") {
      const saved = status?.pools.find((one) => one.id === pool)?.saved;
      if (saved?.lastResort)
        await this.backend.request("pools/save", {
          pool: { ...saved, lastResort: { ...saved.lastResort, consent: "never" } },
        });
    }
    return answer === "Allow Once" ? "once" : answer === "Allow for This Session" ? "session" : undefined;
  }

  /** At most once in ten minutes for the same two profiles, and never when muted. */
  private tellOfFallback({ attempts, profileId }: Completed): void {
    const first = attempts[0];
    if (!first || first.profileId === profileId) return;
    const notices = vscode.workspace.getConfiguration("rooroute.notices");
    const pair = JSON.stringify([first.profileId, profileId]);
    if (!notices.get("fallback", true) || Date.now() - (this.toldOf.get(pair) ?? 0) < 10 * 60_000) return;
    this.toldOf.set(pair, Date.now());
    const name = (id: string) => plain(this.backend.status?.profiles.find((profile) => profile.id === id)?.name ?? id);
    const said = plain(first.detail ?? first.verdict);
    const message = `${name(profileId)} answered instead of ${name(first.profileId)}, which said: ${said}`;
    void vscode.window.showInformationMessage(message, "Explain", "Mute").then((button) => {
      if (button === "Explain") return vscode.commands.executeCommand("rooroute.explain");
      if (button === "Mute") return notices.update("fallback", false, vscode.ConfigurationTarget.Global);
      return undefined;
    });
  }
}

/** The notification while a request waits for somebody's cooldown. Its links act on the request; its own button cancels it. */
class Waiting {
  constructor(private readonly report: WaitReport | undefined) {}

  onCancel = (): void => undefined;
  private close: (() => void) | undefined;
  private ends: number | undefined;
  private names = "";
  private requestId = "";

  until(progress: WaitingSeen, status: Backend["status"]): void {
    this.requestId = progress.requestId;
    this.ends = progress.until ? Date.now() + (Date.parse(progress.until) - Date.parse(progress.now)) : undefined;
    this.names = progress.profileIds
      .map((id) => plain(status?.profiles.find((profile) => profile.id === id)?.name ?? id))
      .join(", ");
    if (!this.close) this.open();
  }

  over(): void {
    this.close?.();
    this.close = undefined;
  }

  private open(): void {
    if (this.report) return this.count(this.report);
    const options = { location: vscode.ProgressLocation.Notification, cancellable: true, title: "rooroute" };
    void vscode.window.withProgress(options, (progress, token) => {
      token.onCancellationRequested(() => this.onCancel());
      return new Promise<void>((resolve) => this.count(progress, resolve));
    });
  }

  /** Tells the countdown each second until it is over. */
  private count(progress: WaitReport, done?: () => void): void {
    const request = encodeURIComponent(JSON.stringify([this.requestId]));
    const links = `[Retry now](command:rooroute.wait.retryNow?${request}) · [Next](command:rooroute.wait.skip?${request})`;
    const tick = () => {
      const back = this.ends === undefined ? "" : `, back in ${countdown((this.ends - Date.now()) / 1000)}`;
      progress.report({ message: `waiting for ${this.names}${back}. ${links}` });
    };
    tick();
    const timer = setInterval(tick, 1000);
    this.close = () => {
      clearInterval(timer);
      done?.();
    };
  }
}
