/** Which Python runs the backend: the setting, else the selected environment, else python3, else the environment we installed. */
export interface Candidate {
  /** An interpreter, or an executable of rooroute itself. */
  readonly path: string;
  /** For a sentence: "the setting rooroute.path". */
  readonly origin: string;
}

export interface Probe {
  /** Why it could not be run at all, or undefined. */
  readonly error?: string;
  /** "3.11.7" */
  readonly python?: string;
  /** rooroute's version; undefined when the package is not installed there. */
  readonly rooroute?: string;
}

/** `remedy` names the button that helps; with what was found, where it does not start. */
export type Choice =
  | { kind: "found"; command: string; args: string[]; origin: string; version: string; remedy: "setting" | "log" }
  | { kind: "problem"; message: string; remedy: "install" | "setting" };

export const OLDEST_PYTHON: readonly [number, number] = [3, 11];
const SERVE = ["serve"];

/** Prints one JSON line and nothing else; works on any Python 3, so that an old one can be named. */
export const PROBE_SCRIPT = [
  "import json, sys",
  "from importlib import util",
  "found = util.find_spec('rooroute')",
  "version = None",
  "if found and sys.version_info >= (3, 11):",
  "    from rooroute.version import VERSION as version",
  "print(json.dumps({'python': '%d.%d.%d' % sys.version_info[:3], 'rooroute': version}))",
].join("\n");

/** An executable called rooroute is started as it is; anything else is taken for an interpreter. */
export function isRooroute(path: string): boolean {
  return /(^|[\\/])rooroute(\.exe)?$/i.test(path);
}

function oldEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > OLDEST_PYTHON[0] || (major === OLDEST_PYTHON[0] && minor >= OLDEST_PYTHON[1]);
}

function whyNot(candidate: Candidate, probe: Probe): string {
  const named = `${candidate.path} (${candidate.origin})`;
  if (probe.error !== undefined) return `${named} cannot be started: ${probe.error}`;
  if (probe.python && !oldEnough(probe.python))
    return `${named} is Python ${probe.python}; rooroute needs ${OLDEST_PYTHON.join(".")} or newer`;
  return `${named} has no rooroute package`;
}

/** The first candidate that can run the backend; a chosen one (the setting) stands alone, so that a wrong setting is never papered over. */
export async function choose(
  candidates: readonly Candidate[],
  chosen: boolean,
  probe: (candidate: Candidate) => Promise<Probe>,
): Promise<Choice> {
  const reasons: string[] = [];
  const remedy = chosen ? "setting" : "log";
  for (const candidate of candidates) {
    if (isRooroute(candidate.path))
      return { kind: "found", command: candidate.path, args: SERVE, origin: candidate.origin, version: "", remedy };
    const result = await probe(candidate);
    if (result.rooroute && result.python && oldEnough(result.python))
      // -P keeps the working directory off the module path: a folder named rooroute in a workspace must never be run.
      return {
        kind: "found",
        command: candidate.path,
        args: ["-P", "-m", "rooroute", ...SERVE],
        origin: candidate.origin,
        version: result.rooroute,
        remedy,
      };
    reasons.push(whyNot(candidate, result));
  }
  const message = reasons.length
    ? `rooroute's backend was not found: ${reasons.join("; ")}.`
    : "No Python was found to run rooroute's backend.";
  return { kind: "problem", message, remedy: chosen ? "setting" : "install" };
}
