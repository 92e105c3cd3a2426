/** The backend process as the rest of the extension sees it: found, started, asked, restarted, and listened to. */
import { execFile } from "node:child_process";
import fs from "node:fs/promises";
import * as vscode from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";
import { type Candidate, choose, type Choice, type Probe, PROBE_SCRIPT } from "./interpreter";
import { environmentPython } from "./install";
import { type Methods, type Progress, PROTOCOL_VERSION, type StatusChanged } from "./protocol";
import { offerSecretStorage } from "./secrets";
import { applyChange, secondsLeft, type Snapshot, snapshotOf } from "./status";

export type BackendState =
  | { kind: "idle" | "starting" | "running" }
  /** It ended again and again. */
  | { kind: "stopped"; lastWords?: string }
  | { kind: "failed"; message: string; remedy: "install" | "setting" | "update" | "log" };

const PROBE_DEADLINE_MS = 15_000;
const START_DEADLINE_MS = 30_000;
/** A server that ends more often than this within the time below is left alone. */
const MOST_RESTARTS = 4;
const RESTARTS_WITHIN_MS = 3 * 60_000;
/**
 * ErrorCodes of vscode-jsonrpc: could not be written or read, the pending response was rejected, the connection is inactive. The last two
 * are what a pipe says whose other end is gone.
 */
const CONNECTION_LOST = new Set<unknown>([-32099, -32098, -32097, -32096, "EPIPE", "ERR_STREAM_DESTROYED"]);
/** A timer takes no more than 31 bits. */
const MAX_TIMER_MS = 2 ** 31 - 1;

type Connect = typeof import("./connection.js").connect;

class ConnectionLost extends Error {
  constructor() {
    super("rooroute's server ended before it answered. Ask again as soon as it is back.");
  }
}

function isLost(error: unknown): boolean {
  return error instanceof ConnectionLost || CONNECTION_LOST.has((error as { code?: unknown }).code);
}

export class Backend implements vscode.Disposable {
  private readonly stateChanged = new vscode.EventEmitter<BackendState>();
  private readonly statusChanged = new vscode.EventEmitter<Snapshot>();
  readonly onDidChangeState = this.stateChanged.event;
  readonly onDidChangeStatus = this.statusChanged.event;
  private current: BackendState = { kind: "idle" };
  private snapshot: Snapshot | undefined;
  private client: LanguageClient | undefined;
  /** It is coming up: until it runs, failed, or was left alone. */
  private starting: Promise<void> | undefined;
  /** Counts starts, so that one which was abandoned for a later one knows. */
  private attempt = 0;
  /** When the server ended of itself. */
  private ends: number[] = [];
  private lastWords: string | undefined;
  /** What is open on the server, to be rejected when it is given up. */
  private readonly open = new Set<(error: Error) => void>();
  private nextReturn: NodeJS.Timeout | undefined;

  constructor(
    private readonly context: vscode.ExtensionContext,
    readonly log: vscode.LogOutputChannel,
  ) {}

  get state(): BackendState {
    return this.current;
  }

  get status(): Snapshot | undefined {
    return this.snapshot;
  }

  /** Starts the backend if nothing of it is running; never throws, the outcome is the state. */
  start(): Promise<void> {
    return this.starting ?? this.comeUp(this.bring());
  }

  /** Abandons a start that is under way: it may hang. */
  restart(): Promise<void> {
    this.ends = [];
    this.lastWords = undefined;
    this.snapshot = undefined;
    return this.comeUp(this.bring());
  }

  private comeUp(coming: Promise<void>): Promise<void> {
    const starting = coming.finally(() => {
      if (this.starting === starting) this.starting = undefined;
    });
    return (this.starting = starting);
  }

  /** Sends one request. Waits for a start that is under way; errors are the backend's own, with its sentence as message. */
  async request<M extends keyof Methods>(
    method: M,
    params: Methods[M]["params"],
    token?: vscode.CancellationToken,
  ): Promise<Methods[M]["result"]> {
    const client = await this.running();
    if (!client)
      throw new Error(
        this.current.kind === "failed" ? this.current.message : "rooroute's server is not running; restart it.",
      );
    // A token that is undefined would be taken for a second parameter.
    const name = `rooroute/${method}`;
    const sent: Promise<Methods[M]["result"]> = token
      ? client.sendRequest(name, params, token)
      : client.sendRequest(name, params);
    return this.orLost(sent);
  }

  /** Hears the progress of one request until the returned thing is disposed. */
  async listen(token: string, heard: (value: Progress["value"]) => void): Promise<vscode.Disposable> {
    const { listen } = await import("./connection.js");
    const client = await this.running();
    return client ? listen(client, token, (value) => heard(value as Progress["value"])) : { dispose: () => undefined };
  }

  /** The client of the server that runs, if it can be brought to run. */
  private async running(): Promise<LanguageClient | undefined> {
    if (this.current.kind !== "running") await this.start();
    return this.current.kind === "running" ? this.client : undefined;
  }

  /** The language client never settles what was asked of a server that hangs: here it is rejected when the server is given up. */
  private orLost<T>(asked: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.open.add(reject);
      asked
        .finally(() => this.open.delete(reject))
        .then(resolve, (error: unknown) => reject(isLost(error) ? new ConnectionLost() : error));
    });
  }

  async refresh(): Promise<void> {
    this.told(snapshotOf(await this.request("status", {}), Date.now()));
  }

  /**
   * Takes what the backend said. A cooldown's end is nothing it announces, since nothing happens then: so we ask once when the next one
   * is due. Where nobody rests there is no timer.
   */
  private told(snapshot: Snapshot): void {
    this.snapshot = snapshot;
    clearTimeout(this.nextReturn);
    const left = snapshot.profiles
      .map((profile) => secondsLeft(profile, snapshot, Date.now()))
      .filter((seconds) => seconds > 0);
    if (left.length) {
      const wait = Math.min(Math.min(...left) * 1000 + 250, MAX_TIMER_MS);
      this.nextReturn = setTimeout(
        () => void this.refresh().catch((error: unknown) => this.log.debug(String(error))),
        wait,
      );
    }
    this.statusChanged.fire(snapshot);
  }

  private become(state: BackendState): void {
    this.current = state;
    void vscode.commands.executeCommand("setContext", "rooroute.running", state.kind === "running");
    this.stateChanged.fire(state);
  }

  private async bring(): Promise<void> {
    const attempt = ++this.attempt;
    this.become({ kind: "starting" });
    let remedy: "setting" | "log" = "log";
    let client: LanguageClient | undefined;
    let named = "rooroute's server";
    try {
      await this.close();
      const storage = this.context.globalStorageUri.fsPath;
      await fs.mkdir(storage, { recursive: true });
      const choice = await this.choose(storage);
      const { connect } = await import("./connection.js");
      if (attempt !== this.attempt) return this.starting;
      if (choice.kind === "problem")
        return this.become({ kind: "failed", message: choice.message, remedy: choice.remedy });
      ({ remedy } = choice);
      named = `${choice.command} (${choice.origin})`;
      this.log.info(`starting ${choice.command} ${choice.args.join(" ")} (${choice.origin})`);
      this.client = client = this.clientOf(connect, choice, storage);
      const up = this.orLost(client.start()).then(() => this.ready(client!));
      await within(START_DEADLINE_MS, up, "it did not answer");
    } catch (error) {
      // What was abandoned ends with what it was abandoned for.
      if (attempt !== this.attempt) return this.starting;
      this.log.error(error instanceof Error ? error : String(error));
      if (client && (client !== this.client || isLost(error))) return this.bringBack();
      await this.close();
      const why = error instanceof Error ? error.message : String(error);
      this.become({ kind: "failed", message: `${named} cannot be started: ${inWords(why)}.`, remedy });
    }
  }

  /** It ended of itself: it is started again, unless it does so again and again. */
  private async bringBack(): Promise<void> {
    const now = Date.now();
    this.ends = [...this.ends.filter((end) => now - end < RESTARTS_WITHIN_MS), now];
    if (this.ends.length <= MOST_RESTARTS) return this.bring();
    await this.close();
    this.become({ kind: "stopped", lastWords: this.lastWords });
  }

  private clientOf(connect: Connect, choice: Choice & { kind: "found" }, cwd: string): LanguageClient {
    const client = connect({
      command: choice.command,
      args: choice.args,
      cwd,
      log: this.log,
      initializationOptions: {
        rooroute: {
          protocolVersion: PROTOCOL_VERSION,
          client: `vscode/${this.context.extension.packageJSON.version}`,
          ...(vscode.workspace.getConfiguration("rooroute").get("secretStore") === "editor" ? { secrets: true } : {}),
        },
      },
      onSaid: (line) => (this.lastWords = line),
      onClosed: () => {
        if (this.client !== client) return;
        this.client = undefined;
        // A start that is under way notices.
        if (!this.starting) void this.comeUp(this.bringBack());
      },
    });
    client.onNotification("rooroute/statusChanged", (change: StatusChanged) => {
      if (this.client === client && this.current.kind === "running") this.changed(change);
    });
    offerSecretStorage(client, this.context.secrets);
    return client;
  }

  /** Runs after every start. */
  private async ready(client: LanguageClient): Promise<void> {
    const told: { protocolVersion?: string } = client.initializeResult?.capabilities.experimental?.rooroute ?? {};
    const [theirs] = (told.protocolVersion ?? "").split(".");
    const [ours] = PROTOCOL_VERSION.split(".");
    if (theirs !== ours) {
      const version = client.initializeResult?.serverInfo?.version ?? "of an unknown version";
      await this.close();
      const message = `rooroute ${version} speaks protocol ${told.protocolVersion ?? "of an unknown version"}, this extension ${PROTOCOL_VERSION}; update the older of the two.`;
      return this.become({ kind: "failed", message, remedy: "update" });
    }
    this.become({ kind: "running" });
    await this.refresh().catch((error: Error) => {
      if (isLost(error)) throw error;
      this.log.error(error);
      this.become({
        kind: "failed",
        message: `rooroute's server runs but cannot tell its status: ${error.message}`,
        remedy: "log",
      });
    });
  }

  private changed(change: StatusChanged): void {
    if (!this.snapshot) return;
    const edited = change.configRevision !== this.snapshot.configRevision;
    this.told(applyChange(this.snapshot, change, Date.now()));
    // Which pool is the default one is told by the whole status only.
    if (edited) void this.refresh().catch((error: unknown) => this.log.debug(String(error)));
  }

  private async choose(storage: string): Promise<Choice> {
    const setting = vscode.workspace.getConfiguration("rooroute").get<string>("path", "").trim();
    const candidates = setting
      ? [{ path: setting, origin: "the setting rooroute.path" }]
      : await this.candidates(storage);
    return choose(candidates, setting !== "", (candidate) => probe(candidate, storage));
  }

  private async candidates(storage: string): Promise<Candidate[]> {
    const found: Candidate[] = [];
    const selected = await selectedEnvironment().catch((error: unknown) => this.log.warn(String(error)));
    if (selected) found.push({ path: selected, origin: "the selected Python environment" });
    found.push({ path: process.platform === "win32" ? "python" : "python3", origin: "the machine's own Python" });
    const own = environmentPython(storage);
    if (await fs.stat(own).catch(() => undefined)) found.push({ path: own, origin: "installed by this extension" });
    return found;
  }

  private async close(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    clearTimeout(this.nextReturn);
    for (const reject of this.open) reject(new ConnectionLost());
    // A client that never came up cannot be stopped, and one that hangs is killed by the client after its own two seconds.
    await client?.dispose().catch((error: unknown) => this.log.debug(String(error)));
  }

  async stop(): Promise<void> {
    this.attempt++;
    this.starting = undefined;
    this.current = { kind: "idle" };
    await this.close();
  }

  dispose(): void {
    this.stateChanged.dispose();
    this.statusChanged.dispose();
  }
}

/** What the Python extension has selected; never in a workspace nobody trusts, whose own environment it may be. */
async function selectedEnvironment(): Promise<string | undefined> {
  if (!vscode.workspace.isTrusted) return undefined;
  const python = vscode.extensions.getExtension<{ environments?: { getActiveEnvironmentPath(): { path: string } } }>(
    "ms-python.python",
  );
  if (!python) return undefined;
  const exports = python.isActive
    ? python.exports
    : await within(PROBE_DEADLINE_MS, python.activate(), "the Python extension did not start");
  const path = exports.environments?.getActiveEnvironmentPath().path;
  return path && path !== "python" ? path : undefined;
}

/** Asks an interpreter what it is. It runs in our own folder, so that nothing of a workspace can be imported. */
function probe(candidate: Candidate, cwd: string): Promise<Probe> {
  return new Promise((resolve) => {
    execFile(candidate.path, ["-c", PROBE_SCRIPT], { cwd, timeout: PROBE_DEADLINE_MS }, (error, stdout) => {
      try {
        resolve(JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Probe);
      } catch {
        resolve({
          error: error ? inWords(error.message) : "it answered nothing",
        });
      }
    });
  });
}

function inWords(error: string): string {
  const [first = ""] = error.split("\n");
  return first.endsWith("ENOENT") ? "it is not there" : first;
}

function within<T>(milliseconds: number, promised: Thenable<T>, late: string): Promise<T> {
  let timer: NodeJS.Timeout;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${late} within ${milliseconds / 1000} seconds`)), milliseconds);
  });
  return Promise.race([promised, deadline]).finally(() => clearTimeout(timer));
}
