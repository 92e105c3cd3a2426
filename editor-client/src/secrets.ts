/** Keys kept by the editor, where the machine that runs the backend has no keyring and the user chose so. The backend asks; nothing is cached here. */
import type * as vscode from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";

interface Slot {
  profileId: string;
  slot: string;
  value?: string;
}

const nameOf = ({ profileId, slot }: Slot) => `rooroute:${JSON.stringify([profileId, slot])}`;

export function offerSecretStorage(client: Pick<LanguageClient, "onRequest">, secrets: vscode.SecretStorage): void {
  client.onRequest("rooroute/secrets/get", async (slot: Slot) => ({
    value: (await secrets.get(nameOf(slot))) ?? null,
  }));
  client.onRequest("rooroute/secrets/set", async (slot: Slot) => {
    await secrets.store(nameOf(slot), slot.value ?? "");
    return {};
  });
  client.onRequest("rooroute/secrets/delete", async (slot: Slot) => {
    await secrets.delete(nameOf(slot));
    return {};
  });
}
