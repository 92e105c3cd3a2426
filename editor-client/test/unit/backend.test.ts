import os from "node:os";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { ConnectOptions } from "../../src/connection";
import { Backend, type BackendState } from "../../src/backend";
import { extensions, settings } from "./vscode";

/** A language client as the backend sees it: it is started, asked, and told of what it is not the master of. */
class Client {
  static all: Client[] = [];
  /** What a start comes to; the default is a server that answers. */
  static start: () => Promise<void>;
  static status: () => Promise<unknown>;
  /** What is asked, status aside. */
  asked: string[] = [];
  disposed = false;
  static protocolVersion: string;
  readonly initializeResult = {
    capabilities: { experimental: { rooroute: { protocolVersion: Client.protocolVersion } } },
  };
  readonly progress = new Map<string, (value: unknown) => void>();
  private readonly rejects: ((error: Error) => void)[] = [];
  tell: (change: object) => void = () => undefined;

  constructor(readonly options: ConnectOptions) {
    Client.all.push(this);
  }
  start = () => this.orEnded(Client.start());
  onRequest = () => undefined;
  onNotification = (_: string, heard: (change: object) => void) => void (this.tell = heard);
  dispose = async () => void (this.disposed = true);
  sendRequest(method: string, params: { partialResultToken?: string }): Promise<unknown> {
    if (method === "rooroute/status") return Client.status();
    this.asked.push(method);
    if (method === "rooroute/profiles/models") return this.orEnded(new Promise(() => undefined));
    this.progress.get(params.partialResultToken ?? "")?.("heard");
    return Promise.resolve({});
  }
  private orEnded<T>(promise: Promise<T>): Promise<T> {
    return Promise.race([promise, new Promise<never>((_, reject) => this.rejects.push(reject))]);
  }
  /** The server ends. */
  end(): void {
    for (const reject of this.rejects) reject(Object.assign(new Error("Pending response rejected"), { code: -32097 }));
    this.options.onClosed();
  }
}

vi.mock("../../src/connection", () => ({
  connect: (options: ConnectOptions) => new Client(options),
  listen: (client: Client, token: string, heard: (value: unknown) => void) => {
    client.progress.set(token, heard);
    return { dispose: () => client.progress.delete(token) };
  },
}));

let resting: number | undefined;
const status = () => ({
  now: new Date().toISOString(),
  configRevision: "1",
  stateRevision: 1,
  profiles: [
    resting
      ? { id: "p", state: "cooldown", until: new Date(Date.now() + resting * 1000).toISOString() }
      : { id: "p", state: "active" },
  ],
  pools: [],
});

const never = () => new Promise<never>(() => undefined);
let backend: Backend;
let states: BackendState[];
const latest = () => Client.all.at(-1)!;
const become = (kind: BackendState["kind"]) =>
  vi.waitFor(() => {
    expect(backend.state.kind).toBe(kind);
    return backend.state;
  });
const started = (count: number) => vi.waitFor(() => expect(Client.all.length).toBe(count));

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
  Client.all = [];
  Client.protocolVersion = "1.0";
  Client.start = async () => undefined;
  Client.status = async () => status();
  resting = undefined;
  settings["rooroute.path"] = "/opt/rooroute";
  const log = { info() {}, debug() {}, warn() {}, error() {} };
  const context = { globalStorageUri: { fsPath: os.tmpdir() }, extension: { packageJSON: {} }, secrets: {} };
  backend = new Backend(context as never, log as never);
  states = [];
  backend.onDidChangeState((state) => states.push(state));
});
afterEach(() => {
  vi.useRealTimers();
  delete settings["rooroute.path"];
});

test("what is asked while a server comes back goes to the one that comes, and its progress is heard", async () => {
  await backend.start();
  let answer = (): void => undefined;
  Client.start = () => new Promise((resolve) => (answer = resolve));
  latest().end();
  await started(2);
  const heard: unknown[] = [];
  const listening = backend.listen("t", (value) => heard.push(value));
  await vi.advanceTimersByTimeAsync(100);
  answer();
  await listening;
  await backend.request("complete", { partialResultToken: "t" } as never);
  expect(heard).toEqual(["heard"]);
  expect(Client.all.map(({ asked }) => asked)).toEqual([[], ["rooroute/complete"]]);
});

test("what is asked of a server that was left alone starts one, and its progress is heard", async () => {
  await backend.start();
  for (let end = 0; end < 5; end++) {
    latest().options.onSaid(`the end, ${end}`);
    latest().end();
    await become(end < 4 ? "running" : "stopped");
  }
  expect(states.filter(({ kind }) => kind === "stopped")).toEqual([{ kind: "stopped", lastWords: "the end, 4" }]);
  const heard: unknown[] = [];
  await backend.listen("t", (value) => heard.push(value));
  await backend.request("complete", { partialResultToken: "t" } as never);
  expect(heard).toEqual(["heard"]);
  expect(Client.all.length).toBe(6);
});

test("what is asked of a server that cannot tell its status goes to another one, and its progress is heard", async () => {
  Client.status = () => Promise.reject(new Error("no status"));
  await backend.start();
  expect(backend.state).toMatchObject({ kind: "failed" });
  Client.status = async () => status();
  const heard: unknown[] = [];
  await backend.listen("t", (value) => heard.push(value));
  await backend.request("complete", { partialResultToken: "t" } as never);
  expect(heard).toEqual(["heard"]);
  expect(Client.all.map(({ disposed }) => disposed)).toEqual([true, false]);
});

test("a server that ends now and then is started each time", async () => {
  await backend.start();
  for (let end = 0; end < 9; end++) {
    latest().end();
    await become("running");
    await vi.advanceTimersByTimeAsync(60_000);
  }
  expect(Client.all.length).toBe(10);
});

test("a server that ends before it answers is tried five times and left alone", async () => {
  Client.start = never;
  const up = backend.start();
  for (let end = 1; end <= 5; end++) {
    await started(end);
    latest().end();
  }
  await up;
  expect(states.map(({ kind }) => kind)).toEqual([...Array<string>(5).fill("starting"), "stopped"]);
});

test("the end of a cooldown does not start a server that was left alone", async () => {
  resting = 600;
  await backend.start();
  for (let end = 0; end < 5; end++) {
    latest().end();
    await become(end < 4 ? "running" : "stopped");
  }
  await vi.advanceTimersByTimeAsync(700_000);
  expect([backend.state.kind, Client.all.length]).toEqual(["stopped", 5]);
});

test("what a client says that was given up is not heard", async () => {
  await backend.start();
  const [old] = Client.all;
  await backend.restart();
  const before = backend.status;
  old!.tell({ ...status(), profiles: [], removed: { profiles: ["p"], pools: [] } });
  old!.end();
  expect(backend.status).toBe(before);
  expect([backend.state.kind, Client.all.length]).toEqual(["running", 2]);
});

test("a restart while the server comes back by itself makes one server", async () => {
  await backend.start();
  Client.start = never;
  latest().end();
  await started(2);
  const [, second] = Client.all;
  Client.start = async () => undefined;
  await backend.restart();
  second!.end();
  await vi.advanceTimersByTimeAsync(1000);
  expect([backend.state.kind, Client.all.length, second!.disposed]).toEqual(["running", 3, true]);
});

test("an executable that is not there is named, with the setting as remedy", async () => {
  Client.start = () =>
    Promise.reject("Launching server using command /opt/rooroute failed. Error: spawn /opt/rooroute ENOENT");
  await backend.start();
  expect(backend.state).toEqual({
    kind: "failed",
    message: "/opt/rooroute (the setting rooroute.path) cannot be started: it is not there.",
    remedy: "setting",
  });
});

test("a server of another protocol is given up, and not started again", async () => {
  Client.protocolVersion = "9.0";
  await backend.start();
  expect(backend.state).toMatchObject({ kind: "failed", remedy: "update" });
  expect(Client.all.map(({ disposed }) => disposed)).toEqual([true]);
});

test("a server that does not answer is given up after half a minute", async () => {
  Client.start = never;
  const up = backend.start();
  await started(1);
  await vi.advanceTimersByTimeAsync(30_000);
  await up;
  expect(backend.state).toMatchObject({
    kind: "failed",
    message: expect.stringContaining("did not answer within 30 s"),
  });
  expect(latest().disposed).toBe(true);
});

test("a restart abandons a start that hangs, and who waited for it gets the new one", async () => {
  Client.start = never;
  void backend.start();
  await started(1);
  const asked = backend.request("complete", {} as never);
  Client.start = async () => undefined;
  await backend.restart();
  expect(await asked).toEqual({});
  expect(Client.all.map(({ disposed }) => disposed)).toEqual([true, false]);
});

test("what was asked of a server that hangs is rejected when it is given up", async () => {
  await backend.start();
  const asked = backend.request("profiles/models", {} as never);
  const rejected = expect(asked).rejects.toThrow("ended before it answered");
  await vi.waitFor(() => expect(latest().asked).toEqual(["rooroute/profiles/models"]));
  await backend.restart();
  await rejected;
});

test("a Python extension that does not start holds nothing up", async () => {
  delete settings["rooroute.path"];
  const activate = vi.fn(never);
  vi.spyOn(extensions, "getExtension").mockReturnValue({ isActive: false, activate });
  void backend.start();
  await vi.waitFor(() => expect(activate).toHaveBeenCalled());
  await vi.advanceTimersByTimeAsync(15_000);
  await vi.waitFor(() => expect(backend.state.kind).not.toBe("starting"), 10_000);
});
