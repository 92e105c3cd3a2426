/** The panel's line to the extension. Nothing secret is ever given to `keep`. */
import type { FromPanel, PanelMethod, Tab, ToPanel } from "../src/messages";
import type { Methods } from "../src/protocol";

declare function acquireVsCodeApi(): {
  postMessage(message: FromPanel): void;
  getState(): unknown;
  setState(state: unknown): void;
};
const api = acquireVsCodeApi();

/** The backend's refusal: one sentence, and the field it is about where it names one. */
export class Refused extends Error {
  constructor(
    message: string,
    readonly field: string | undefined,
    readonly kind: string | undefined,
  ) {
    super(message);
  }
}

interface Open {
  answer: (message: ToPanel & { type: "answer" }) => void;
  progress: ((value: unknown) => void) | undefined;
}

const open = new Map<number, Open>();
let count = 0;

export interface Running<M extends PanelMethod> {
  result: Promise<Methods[M]["result"]>;
  cancel(): void;
}

/** A text file that the user chooses; undefined where none is chosen. */
export function chooseFile(): Promise<{ name: string; text: string } | undefined> {
  const n = ++count;
  return new Promise((resolve, reject) => {
    const answer: Open["answer"] = ({ error, result }) => {
      open.delete(n);
      if (error) reject(new Refused(error.message, error.field, error.kind));
      else resolve(result as { name: string; text: string } | undefined);
    };
    open.set(n, { answer, progress: undefined });
    api.postMessage({ type: "choose", n });
  });
}

export function start<M extends PanelMethod>(
  method: M,
  params: Methods[M]["params"],
  progress?: (value: unknown) => void,
): Running<M> {
  const n = ++count;
  const result = new Promise<Methods[M]["result"]>((resolve, reject) => {
    const answer: Open["answer"] = ({ error, result }) => {
      open.delete(n);
      if (error) reject(new Refused(error.message, error.field, error.kind));
      else resolve(result as Methods[M]["result"]);
    };
    open.set(n, { answer, progress });
  });
  api.postMessage({ type: "request", n, method, params });
  return { result, cancel: () => api.postMessage({ type: "cancel", n }) };
}

export const request = <M extends PanelMethod>(
  method: M,
  params: Methods[M]["params"],
): Promise<Methods[M]["result"]> => start(method, params).result;

export const send = (message: FromPanel): void => api.postMessage(message);

export function hear(other: (message: ToPanel) => void): void {
  window.addEventListener("message", ({ data }: MessageEvent<ToPanel>) => {
    if (data.type === "answer") open.get(data.n)?.answer(data);
    else if (data.type === "progress") open.get(data.n)?.progress?.(data.value);
    else other(data);
  });
}

/** What survives a reload of the window: where the user was, nothing of what was typed. */
export interface Kept {
  tab: Tab;
  filter: string;
  open: string[];
}

export const kept = (): Kept => ({
  tab: "profiles",
  filter: "",
  open: [],
  ...(api.getState() as Partial<Kept> | undefined),
});
export const keep = (state: Kept): void => api.setState(state);
