// What a careful eye looks for in the panel: nothing clipped, nothing on top of something else, nothing axe objects to.
import fs from "node:fs";
import path from "node:path";
import { CACHE } from "./workbench.mjs";
import { until } from "./session.mjs";

/** Runs inside the panel. */
function faultsOfLayout() {
  const faults = [];
  const width = document.documentElement.clientWidth;
  const seen = (element) => {
    const style = getComputedStyle(element);
    const box = element.getBoundingClientRect();
    return (
      element.checkVisibility() &&
      style.visibility !== "hidden" &&
      style.display !== "none" &&
      box.width > 1 &&
      box.height > 1 &&
      !element.closest(".unseen")
    );
  };
  const name = (element) =>
    `${element.tagName.toLowerCase()}${element.id ? `#${element.id}` : ""}${typeof element.className === "string" && element.className ? `.${element.className.trim().replace(/\s+/g, ".")}` : ""} “${(element.textContent ?? "").trim().replace(/\s+/g, " ").slice(0, 40)}”`;
  if (document.documentElement.scrollWidth > width + 1)
    faults.push(`the page is ${document.documentElement.scrollWidth} wide in ${width}`);
  const all = [...document.querySelectorAll("#panel *")].filter(
    (element) => !(element instanceof SVGElement) && seen(element),
  );
  for (const element of all) {
    const box = element.getBoundingClientRect();
    if (box.right > width + 1 || box.left < -1)
      faults.push(`${name(element)} sticks out (${Math.round(box.left)} to ${Math.round(box.right)} of ${width})`);
    const style = getComputedStyle(element);
    if (style.overflow !== "visible" && element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 0)
      faults.push(`${name(element)} is clipped`);
  }
  // Leaves: what has text of its own, and controls.
  const leaves = all.filter(
    (element) =>
      element.tagName.includes("-") || (element.childElementCount === 0 && (element.textContent ?? "").trim()),
  );
  const boxes = leaves
    .filter((leaf) => !leaves.some((other) => other !== leaf && other.contains(leaf)))
    .map((leaf) => [leaf, leaf.getBoundingClientRect()]);
  for (let i = 0; i < boxes.length; i++)
    for (let j = i + 1; j < boxes.length && j < i + 40; j++) {
      const [a, x] = boxes[i];
      const [b, y] = boxes[j];
      const over =
        Math.min(x.right, y.right) - Math.max(x.left, y.left) > 2 &&
        Math.min(x.bottom, y.bottom) - Math.max(x.top, y.top) > 2;
      if (over && !a.contains(b) && !b.contains(a)) faults.push(`${name(a)} lies over ${name(b)}`);
    }
  return faults.slice(0, 10);
}

export async function layoutFaults(frame) {
  return frame.evaluate(faultsOfLayout);
}

const axe = () => fs.readFileSync(path.join(CACHE, "node_modules/axe-core/axe.min.js"), "utf8");

/** What axe finds in the panel, one line for each. */
export async function axeFaults(frame) {
  if (!(await frame.evaluate(() => "axe" in window))) await frame.evaluate(axe());
  const { violations } = await frame.evaluate(() =>
    window.axe.run(document.body, {
      resultTypes: ["violations"],
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"],
    }),
  );
  return violations.flatMap((violation) =>
    violation.nodes
      .slice(0, 3)
      .map(
        (node) =>
          `${violation.id}: ${node.target.join(" ")} (${node.failureSummary?.split("\n").slice(1, 3).join("; ").trim()})`,
      ),
  );
}

/** Makes the panel so many pixels wide; the sidebar has to be closed. */
export async function widen(session, width) {
  let viewport = width + 60;
  await until(
    `a panel ${width} pixels wide`,
    async () => {
      await session.page.setViewportSize({ width: viewport, height: 900 });
      const frame = await session.panel(5);
      // The panel follows its window with a delay: what it was before says nothing.
      const got = await until(
        "the panel has followed",
        async () => {
          const inner = await frame.evaluate(() => innerWidth);
          return inner <= viewport && inner > viewport - 200 && inner;
        },
        10,
      );
      if (got !== width) viewport += width - got;
      return got === width;
    },
    30,
  );
}

/** Chooses a theme as a person does. */
async function wear(session, label, kind) {
  const worn = async () =>
    (await session.panel(5)).evaluate((wanted) => document.body.classList.contains(wanted), kind);
  if (await worn()) return;
  await session.page.setViewportSize({ width: 1200, height: 800 });
  await until(
    `the theme ${label}`,
    async () => {
      await session.page.keyboard.press("Escape");
      await session.page.keyboard.press("Control+K");
      await session.page.keyboard.press("Control+T");
      const input = session.page.locator(".quick-input-widget input").first();
      await input.fill(label, { timeout: 5000 });
      await session.page
        .locator(".quick-input-list .monaco-list-row.focused", { hasText: label })
        .waitFor({ timeout: 5000 });
      await session.page.keyboard.press("Enter");
      return until("it is worn", worn, 8);
    },
    60,
  );
}

const THEMES = { "dark": "Dark Modern", "light": "Light Modern", "high-contrast": "Dark High Contrast" };

/** Looks at the panel as it stands in every theme and both widths; gives what is wrong, and leaves pictures. */
export async function inspect(session, view, { widths = [1200, 300], themes = Object.keys(THEMES) } = {}) {
  const faults = [];
  for (const theme of themes) {
    await wear(session, THEMES[theme], `vscode-${theme}`);
    for (const width of widths) {
      await widen(session, width);
      const frame = await session.panel();
      await frame.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 200))));
      const label = `${view}-${theme}-${width}`;
      await session.screenshot(label);
      faults.push(...(await layoutFaults(frame)).map((fault) => `${label}: ${fault}`));
      if (width === widths[0]) faults.push(...(await axeFaults(frame)).map((fault) => `${label}: ${fault}`));
    }
  }
  await wear(session, THEMES.dark, "vscode-dark");
  return faults;
}
