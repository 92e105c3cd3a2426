// The package's own scripted provider, as a process: it answers as it is told, by key.
import { spawn } from "node:child_process";

export async function startProvider(python, cwd) {
  const child = spawn(python, ["-P", "-m", "rooroute.scripted_provider"], {
    cwd,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const urls = await new Promise((resolve, reject) => {
    let seen = "";
    child.stdout.on("data", (data) => {
      seen += data;
      if (seen.includes("\n")) resolve(JSON.parse(seen.split("\n")[0]));
    });
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`the scripted provider ended with ${code}`)));
  });
  const base = Object.values(urls).find((url) => String(url).startsWith("http"));
  const root = new URL(base).origin;
  const call = async (method, path, body) => {
    const response = await fetch(root + path, {
      method,
      ...(body ? { body: JSON.stringify(body), headers: { "content-type": "application/json" } } : {}),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.status === 204 ? undefined : response.json().catch(() => undefined);
  };
  return {
    urls,
    root,
    script: (scripts) => call("POST", "/__script", scripts),
    requests: () => call("GET", "/__requests"),
    forget: () => call("DELETE", "/__requests"),
    stop: () => child.kill(),
  };
}
