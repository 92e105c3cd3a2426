/** Putting profiles in order, by dragging a handle or with the arrow keys on it. */
import { html, type TemplateResult } from "lit";
import type { PoolStatus } from "../src/protocol";
import { inTurn, ownerOf } from "./fields";
import { request } from "./host";
import { icon } from "./parts";
import { act, draw, drawAndFocus, nameOf, orderOf, poolNow, say, shown, ui } from "./ui";

/** Keys come faster than the backend saves: the last order within this time is the one that is sent. */
const SETTLE_MS = 350;
const timers = new Map<string, number>();
let dragged: { pool: string; id: string } | undefined;

export function moved<T>(items: readonly T[], item: T, to: number): T[] {
  const rest = items.filter((other) => other !== item);
  rest.splice(Math.max(0, Math.min(to, rest.length)), 0, item);
  return rest;
}

/** The members in that order; whoever has come meanwhile is last, and whoever is gone stays gone. */
export const arranged = (members: readonly string[], order: readonly string[]): string[] => [
  ...order.filter((id) => members.includes(id)),
  ...members.filter((id) => !order.includes(id)),
];

async function keep(id: string, order: readonly string[]): Promise<void> {
  const pool = poolNow(id);
  if (!pool) return;
  const { configRevision } = await request("pools/save", {
    pool: { ...pool, profiles: arranged(pool.profiles ?? [], order) },
    configRevision: ui.snapshot?.configRevision,
  });
  await shown(configRevision);
}

export function reorder(pool: PoolStatus, id: string, to: number): void {
  const before = orderOf(pool);
  const order = moved(before, id, to);
  if (order.join("\n") === before.join("\n")) return;
  ui.order.set(pool.id, order);
  say(`${nameOf(id)} is now number ${order.indexOf(id) + 1} of ${order.length}.`);
  clearTimeout(timers.get(pool.id));
  const save = async () => {
    timers.delete(pool.id);
    await inTurn(ownerOf(pool.id), () => act(() => keep(pool.id, order)));
    if (ui.order.get(pool.id) === order) ui.order.delete(pool.id); // else it has been changed again meanwhile
    draw();
  };
  timers.set(
    pool.id,
    window.setTimeout(() => void save(), SETTLE_MS),
  );
}

export function handle(pool: PoolStatus, id: string): TemplateResult {
  const at = () => orderOf(pool).indexOf(id);
  const key = (event: KeyboardEvent) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    reorder(pool, id, at() + step);
    // The row moves in the document, which takes the focus away.
    drawAndFocus(`#${CSS.escape((event.currentTarget as HTMLElement).id)}`);
  };
  return html`<button
    class="handle"
    id="handle-${pool.id}-${id}"
    draggable="true"
    title="Drag, or press the up and down arrow keys"
    aria-label="Move ${nameOf(id)}, number ${at() + 1} of ${orderOf(pool).length}; press up or down arrow"
    @keydown=${key}
    @dragstart=${(event: DragEvent) => {
      dragged = { pool: pool.id, id };
      event.dataTransfer?.setData("text/plain", nameOf(id));
      const row = (event.currentTarget as HTMLElement).closest("li");
      if (row) event.dataTransfer?.setDragImage(row, 10, 10);
    }}
    @dragend=${() => (dragged = undefined)}
  >
    ${icon("gripper")}
  </button>`;
}

/** Handlers of the row something may be dropped on. */
export function dropOn(pool: PoolStatus | undefined, id: string) {
  const fits = () => pool !== undefined && dragged?.pool === pool.id && dragged.id !== id;
  const mark = (event: DragEvent, on: boolean) => (event.currentTarget as HTMLElement).classList.toggle("target", on);
  return {
    over: (event: DragEvent) => {
      if (!fits()) return;
      event.preventDefault();
      mark(event, true);
    },
    leave: (event: DragEvent) => mark(event, false),
    drop: (event: DragEvent) => {
      mark(event, false);
      if (!pool || !dragged || !fits()) return;
      event.preventDefault();
      reorder(pool, dragged.id, orderOf(pool).indexOf(id));
    },
  };
}
