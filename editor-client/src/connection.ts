/** The language client, in a bundle of its own that is loaded only after the window is open. */
import { createInterface } from "node:readline";
import type * as vscode from "vscode";
import {
  CloseAction,
  ErrorAction,
  LanguageClient,
  ProgressType,
  RevealOutputChannelOn,
} from "vscode-languageclient/node";

export interface ConnectOptions {
  command: string;
  args: string[];
  cwd: string;
  log: vscode.LogOutputChannel;
  initializationOptions: object;
  /** A line of its standard error. */
  onSaid: (line: string) => void;
  /** It ended, or its pipe broke. */
  onClosed: () => void;
}

interface Traced {
  type?: string;
  message?: { method?: string; id?: number | string };
}

/** A trace line without what was sent or received: params may hold a key on its way to the keyring. */
function headlinesOnly(log: vscode.LogOutputChannel): vscode.LogOutputChannel {
  const brief = (message: string) => {
    if (!message.startsWith("{")) return message.split("\n", 1)[0] ?? "";
    // The format JSON, which the settings may ask for, has the whole message in its one line.
    const { type, message: sent } = JSON.parse(message) as Traced;
    return [type, sent?.method, sent?.id].filter((part) => part !== undefined).join(" ");
  };
  return new Proxy(log, {
    get(target, property) {
      if (property === "trace") return (message: string) => target.trace(brief(String(message)));
      const value: unknown = Reflect.get(target, property);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** What is wrong with the server is told once, by us, with buttons: what the client says of it itself is for the log. */
class QuietClient extends LanguageClient {
  override error(message: string, data?: unknown): void {
    super.error(message, data, false);
  }
}

export function connect(options: ConnectOptions): LanguageClient {
  // No transport: naming one would add --stdio to the command line, which is what the backend speaks anyway.
  const run = { command: options.command, args: options.args, options: { cwd: options.cwd } };
  return new QuietClient("rooroute", "rooroute", run, {
    documentSelector: [],
    outputChannel: options.log,
    traceOutputChannel: headlinesOnly(options.log),
    revealOutputChannelOn: RevealOutputChannelOn.Never,
    initializationOptions: options.initializationOptions,
    initializationFailedHandler: () => false,
    stdioOptions: {
      stdout: () => undefined, // the protocol's
      stderr: (input, log) => {
        createInterface({ input }).on("line", (line) => {
          options.onSaid(line);
          log.error(line);
        });
      },
    },
    errorHandler: {
      // A pipe that breaks belongs to a process that ends. Shut down here, its end would not be told.
      error: () => ({ action: ErrorAction.Continue, handled: true }),
      closed: () => {
        options.onClosed();
        // Another client is made for the server's next start: one that was disposed meanwhile cannot restart anything.
        return { action: CloseAction.DoNotRestart, handled: true, message: "The connection to the server was closed." };
      },
    },
  });
}

/** Hears the progress of one request until the returned thing is disposed. */
export function listen(client: LanguageClient, token: string, heard: (value: unknown) => void): vscode.Disposable {
  return client.onProgress(new ProgressType<unknown>(), token, heard);
}
