import { expect, test } from "vitest";
import { choose, isRooroute, type Probe } from "../../src/interpreter";

const candidate = (path: string) => ({ path, origin: `from ${path}` });
const probing =
  (answers: Record<string, Probe>) =>
  async ({ path }: { path: string }) =>
    answers[path] ?? { error: "it is not there" };

test("the first interpreter that has the package is taken, without the working directory on its path", async () => {
  const choice = await choose(
    [candidate("/selected"), candidate("python3")],
    false,
    probing({ "/selected": { python: "3.12.1" }, "python3": { python: "3.11.7", rooroute: "0.1.0" } }),
  );
  expect(choice).toMatchObject({
    kind: "found",
    command: "python3",
    args: ["-P", "-m", "rooroute", "serve"],
    version: "0.1.0",
  });
});

test("an old Python is named with its version, and installing is offered", async () => {
  const choice = await choose([candidate("python3")], false, probing({ python3: { python: "3.9.2" } }));
  expect(choice).toMatchObject({ kind: "problem", remedy: "install" });
  expect(choice.kind === "problem" && choice.message).toContain(
    "python3 (from python3) is Python 3.9.2; rooroute needs 3.11 or newer",
  );
});

test("a setting that is wrong is said to be wrong, and nothing else is tried", async () => {
  const choice = await choose([candidate("/nowhere")], true, probing({}));
  expect(choice).toMatchObject({ kind: "problem", remedy: "setting" });
  expect(choice.kind === "problem" && choice.message).toContain("cannot be started: it is not there");
});

test("an executable called rooroute is started as it is, unprobed", async () => {
  const never = async () => {
    throw new Error("probed");
  };
  expect(await choose([candidate("/opt/rooroute")], true, never)).toMatchObject({
    command: "/opt/rooroute",
    args: ["serve"],
  });
  expect(["rooroute", "/a/rooroute", "C:\\x\\rooroute.EXE", "/a/rooroute/python"].map(isRooroute)).toEqual([
    true,
    true,
    true,
    false,
  ]);
});
