/** As much of the editor's API as the client's own logic touches. */
export class LanguageModelTextPart {
  constructor(readonly value: string) {}
}
export class LanguageModelToolCallPart {
  constructor(
    readonly callId: string,
    readonly name: string,
    readonly input: object,
  ) {}
}
export class LanguageModelToolResultPart {
  constructor(
    readonly callId: string,
    readonly content: unknown[],
  ) {}
}
export const EndOfLine = { LF: 1, CRLF: 2 };
export const LanguageModelChatMessageRole = { User: 1, Assistant: 2 };
export const LanguageModelChatToolMode = { Auto: 1, Required: 2 };
export class LanguageModelError extends Error {
  private static of = (code: string) => (message: string) => Object.assign(new LanguageModelError(message), { code });
  static NotFound = LanguageModelError.of("NotFound");
  static NoPermissions = LanguageModelError.of("NoPermissions");
  static Blocked = LanguageModelError.of("Blocked");
}
export class CancellationError extends Error {}
export class EventEmitter<T> {
  private readonly heard = new Set<(value: T) => void>();
  readonly event = (listener: (value: T) => void) => {
    this.heard.add(listener);
    return { dispose: () => this.heard.delete(listener) };
  };
  fire(value: T): void {
    for (const listener of this.heard) listener(value);
  }
  dispose(): void {
    this.heard.clear();
  }
}
export class CancellationTokenSource {
  private readonly emitter = new EventEmitter<void>();
  token = { isCancellationRequested: false, onCancellationRequested: this.emitter.event };
  cancel(): void {
    this.token.isCancellationRequested = true;
    this.emitter.fire();
  }
  dispose(): void {
    this.emitter.dispose();
  }
}
export const settings: Record<string, unknown> = {};
export const workspace = {
  isTrusted: true,
  getConfiguration: (section: string) => ({
    get: (name: string, fallback?: unknown) => settings[`${section}.${name}`] ?? fallback,
    update: async () => undefined,
  }),
  onDidChangeConfiguration: () => ({ dispose: () => undefined }),
};
export const extensions = { getExtension: (): unknown => undefined };
export class WorkspaceEdit {
  offset = 0;
  text = "";
  insert(_: unknown, offset: number, text: string): void {
    Object.assign(this, { offset, text });
  }
}
export const shown: string[] = [];
export const window = {
  /** The button that is pressed on a question. */
  pressed: undefined as string | undefined,
  showWarningMessage: async (message: string) => (shown.push(message), window.pressed),
  showInformationMessage: async (message: string) => void shown.push(message),
  withProgress: async (
    _: unknown,
    run: (progress: { report(value: { message?: string }): void }, token: unknown) => Promise<unknown>,
  ) => run({ report: ({ message }) => message && shown.push(message) }, { onCancellationRequested: () => undefined }),
};
export const commands = { executeCommand: async () => undefined };
export const ProgressLocation = { Notification: 15 };
export const ConfigurationTarget = { Global: 1 };
export const StatusBarAlignment = { Right: 2 };
