// An extension like any other that uses language models. What happened is written to the file ASKER_OUT, one JSON object per line.
const fs = require("node:fs");
const vscode = require("vscode");

const note = (what) => fs.appendFileSync(process.env.ASKER_OUT, JSON.stringify(what) + "\n");

/** Whatever the editor offers that can call tools, of whatever vendor is not the editor's own. */
async function model() {
  const all = await vscode.lm.selectChatModels({});
  return all.find((one) => one.vendor !== "copilot" && one.vendor !== "copilotcli");
}

async function read(response) {
  const seen = { text: "", chunks: 0, calls: [] };
  for await (const part of response.stream) {
    if (part instanceof vscode.LanguageModelTextPart) {
      seen.text += part.value;
      seen.chunks++;
    } else if (part instanceof vscode.LanguageModelToolCallPart) seen.calls.push(part);
  }
  return seen;
}

const commands = {
  async list() {
    const all = await vscode.lm.selectChatModels({});
    return {
      models: all.map(({ vendor, family, id, name, maxInputTokens }) => ({ vendor, family, id, name, maxInputTokens })),
    };
  },
  async stream() {
    const chosen = await model();
    const tokens = await chosen.countTokens("How are you today?");
    const seen = await read(await chosen.sendRequest([vscode.LanguageModelChatMessage.User("Say something.")], {}));
    return { family: chosen.family, tokens, ...seen };
  },
  async tool() {
    const chosen = await model();
    const tools = [
      {
        name: "weather",
        description: "The weather of a town",
        inputSchema: {
          $schema: "https://json-schema.org/draft/2020-12/schema",
          type: "object",
          properties: { town: { type: "string" } },
          required: ["town"],
        },
      },
    ];
    const messages = [vscode.LanguageModelChatMessage.User("How is the weather in Bern?")];
    const first = await read(await chosen.sendRequest(messages, { tools }));
    const [call] = first.calls;
    messages.push(vscode.LanguageModelChatMessage.Assistant([call]));
    messages.push(
      vscode.LanguageModelChatMessage.User([
        new vscode.LanguageModelToolResultPart(call.callId, [new vscode.LanguageModelTextPart("12 degrees, rain")]),
      ]),
    );
    const second = await read(await chosen.sendRequest(messages, { tools }));
    return { call: { name: call.name, input: call.input }, text: second.text };
  },
  async cancel() {
    const chosen = await model();
    const source = new vscode.CancellationTokenSource();
    const response = await chosen.sendRequest(
      [vscode.LanguageModelChatMessage.User("Go on for ever.")],
      {},
      source.token,
    );
    let text = "";
    try {
      for await (const piece of response.text) {
        text += piece;
        source.cancel();
      }
    } catch (error) {
      return { text, cancelled: String(error) };
    }
    return { text, cancelled: source.token.isCancellationRequested };
  },
};

exports.activate = (context) => {
  for (const [name, run] of Object.entries(commands))
    context.subscriptions.push(
      vscode.commands.registerCommand(`asker.${name}`, async () => {
        try {
          note({ command: name, ...(await run()) });
        } catch (error) {
          note({ command: name, error: { name: error.name, code: error.code, message: error.message } });
        }
      }),
    );
};
