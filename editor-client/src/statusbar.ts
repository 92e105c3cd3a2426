/** The one item in the status bar: who answers, and when whoever rests is back. */
import * as vscode from "vscode";
import type { Backend, BackendState } from "./backend";
import { activeWords, limitWords, quotaWords } from "./left";
import type { ProfileStatus } from "./protocol";
import type { Snapshot } from "./status";
import { currentOf, defaultPool, isAble, isLimited, membersOf, secondsLeft, untilLocal } from "./status";
import { countdown, inMarkdown, moment, plain } from "./words";

export interface View {
  text: string;
  /** Markdown; everything from outside is escaped. */
  tooltip: string;
  warning: boolean;
  /** Whether the text changes with the clock. */
  ticking: boolean;
  /** In how many milliseconds a limit has room again, so that other words are due. */
  roomIn?: number;
  command: string;
}

/** In milliseconds; a timer for a month would go off at once. */
const A_DAY = 86_400_000;
const OPEN = "rooroute.settings";

function whileNotRunning(state: BackendState): View {
  const view = (text: string, tooltip: string, warning: boolean, command: string): View => ({
    text,
    tooltip,
    warning,
    ticking: false,
    command,
  });
  switch (state.kind) {
    case "failed":
      return view("$(error) rooroute", `${inMarkdown(state.message)}\n\nClick to mend it.`, true, "rooroute.restart");
    case "stopped":
      return view(
        "$(debug-disconnect) rooroute stopped",
        "rooroute's server is not running. Click to start it.",
        true,
        "rooroute.restart",
      );
    default:
      return view("$(loading~spin) rooroute", "rooroute's server is starting.", false, "rooroute.log");
  }
}

/** What the item shows. Pure, so that every state of it can be tested. */
export function statusView(state: BackendState, snapshot: Snapshot | undefined, now: number): View {
  if (state.kind !== "running" || !snapshot) return whileNotRunning(state);
  const pool = defaultPool(snapshot);
  if (!pool || snapshot.profiles.length === 0)
    return {
      text: "$(add) rooroute",
      tooltip: "No profile is saved yet. Click to add the first one.",
      warning: false,
      ticking: false,
      command: "rooroute.add",
    };
  const members = membersOf(pool, snapshot);
  const resting = members
    .map((profile) => ({ profile, left: secondsLeft(profile, snapshot, now) }))
    .filter(({ left }) => left > 0)
    .sort((a, b) => a.left - b.left);
  const ready = members.some(
    (profile) =>
      isAble(profile, snapshot, now) || (profile.state === "cooldown" && secondsLeft(profile, snapshot, now) === 0),
  );
  const current = currentOf(pool, snapshot, now);
  const rooms = members
    .filter((profile) => isLimited(profile, snapshot, now))
    .map((profile) => untilLocal(profile, snapshot) - now);
  const first = resting[0];
  const back = first ? `${first.profile.name} back in ${countdown(first.left)}` : "";
  const limited = ready ? "" : limitedWords(members, snapshot, now);
  const lead = ready ? (current?.name ?? pool.name ?? pool.id) : first || limited ? "" : "nobody can answer";
  const text = [lead, back, limited].filter(Boolean).join(" · ");
  return {
    text: `${ready ? "$(arrow-swap)" : "$(warning)"} ${plain(text)}`,
    tooltip: tooltip(pool.name ?? pool.id, members, current, snapshot, now),
    warning: !ready,
    ticking: resting.length > 0,
    ...(rooms.length ? { roomIn: Math.min(A_DAY, ...rooms) } : {}),
    command: OPEN,
  };
}

/** Who is the first to have room within the user's limits again, and when. */
function limitedWords(members: ProfileStatus[], snapshot: Snapshot, now: number): string {
  const [first] = members
    .filter((profile) => isLimited(profile, snapshot, now))
    .sort((a, b) => untilLocal(a, snapshot) - untilLocal(b, snapshot));
  return first ? `${first.name} at its limit until ${moment(untilLocal(first, snapshot), now)}` : "";
}

/** What is left of one profile's quota: what the provider tells, and what the user allows. */
function leftOf(profile: ProfileStatus, snapshot: Snapshot, now: number): string {
  const told = [
    ...(profile.quotas ?? []).map((quota) => ({ words: quotaWords(quota), at: quota.resetsAt })),
    ...(profile.limits ?? []).map((limit) => ({ words: limitWords(limit), at: limit.resetsAt })),
  ];
  if (told.length === 0) return "";
  const lines = told.slice(0, 6).map(({ words, at }) => {
    const local = at ? Date.parse(at) - snapshot.clockOffset : 0;
    // A time, not a countdown: nothing ticks for the sake of a hover.
    return `- ${inMarkdown(words)}${local > now ? `, until ${inMarkdown(moment(local, now))}` : ""}`;
  });
  return `${inMarkdown(profile.name)} has\n\n${lines.join("\n")}`;
}

function tooltip(
  pool: string,
  members: ProfileStatus[],
  current: ProfileStatus | undefined,
  snapshot: Snapshot,
  now: number,
): string {
  const lines = members.slice(0, 12).map((profile) => {
    const left = secondsLeft(profile, snapshot, now);
    const state =
      profile.state === "active"
        ? `$(${isLimited(profile, snapshot, now) ? "dashboard" : "pass"}) ${inMarkdown(activeWords(profile, snapshot, now))}`
        : profile.state === "cooldown"
          ? `$(clock) Cooldown ${countdown(left)}`
          : profile.state === "failed"
            ? `$(error) Failed: ${inMarkdown([profile.reason, profile.remedy].filter(Boolean).join(" "))}`
            : "$(circle-slash) Disabled";
    return `- ${inMarkdown(profile.name)}: ${state}`;
  });
  if (members.length > 12) lines.push(`- and ${members.length - 12} more`);
  const head = `**rooroute, pool ${inMarkdown(pool)}**`;
  const foot =
    "[Settings](command:rooroute.settings) · [Rotate key now](command:rooroute.rotate) · [Explain last request](command:rooroute.explain)";
  const left = current ? leftOf(current, snapshot, now) : "";
  return [head, lines.join("\n"), left, foot].filter(Boolean).join("\n\n");
}

export class StatusBar implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem("rooroute", vscode.StatusBarAlignment.Right, 100);
  private readonly subscriptions: vscode.Disposable[];
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly backend: Backend) {
    this.item.name = "rooroute";
    this.subscriptions = [backend.onDidChangeState(() => this.draw()), backend.onDidChangeStatus(() => this.draw())];
    this.draw();
    this.item.show();
  }

  /** Draws, and only while something counts down comes back a second later: idle means no timer at all. */
  private draw(): void {
    clearTimeout(this.timer);
    const view = statusView(this.backend.state, this.backend.status, Date.now());
    this.item.text = view.text;
    this.item.command = view.command;
    const tooltip = new vscode.MarkdownString(view.tooltip, true);
    tooltip.isTrusted = { enabledCommands: ["rooroute.settings", "rooroute.rotate", "rooroute.explain"] };
    this.item.tooltip = tooltip;
    this.item.backgroundColor = view.warning ? new vscode.ThemeColor("statusBarItem.warningBackground") : undefined;
    this.item.accessibilityInformation = {
      label: `rooroute: ${view.text.replace(/\$\([^)]*\)\s*/g, "")}`,
      role: "button",
    };
    if (view.ticking) this.timer = setTimeout(() => this.draw(), 1000);
    else if (view.roomIn !== undefined) this.timer = setTimeout(() => this.draw(), view.roomIn + 5);
  }

  dispose(): void {
    clearTimeout(this.timer);
    for (const subscription of this.subscriptions) subscription.dispose();
    this.item.dispose();
  }
}
