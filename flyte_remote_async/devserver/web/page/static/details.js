// What there is to know about the row that is selected.

import { ask, pathOf, troubleText } from "./asking.js";
import { badge, h, swap } from "./dom.js";
import { addressOf, attemptList, elementList, errorBox, factList, place, valueList } from "./pieces.js";
import { keyOf } from "./routes.js";
import { cacheText } from "./tree.js";

const LONGEST_LOG = 65536;

export class Details {
  constructor(root, { back }) {
    this.root = root;
    this.facts = [];
    this.logs = new Map();
    this.title = h("h2", { tabindex: "-1", "data-key": "title" }, "Details");
    this.about = h("div");
    this.data = h("div");
    this.element = h("section", { class: "details", "aria-label": "Details" }, this.title, this.about, this.data);
    this.element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      back();
    });
  }

  focus() {
    this.title.focus();
  }

  stop() {
    this.aborting?.abort();
  }

  /** Tell that what the address names is not there. */
  missing(key) {
    this.begin(key);
    this.title.replaceChildren("Not found");
    this.about.replaceChildren(h("p", { class: "notice" }, `This execution has no ${decodeURIComponent(key)}, or not yet.`));
  }

  /** Show a row; called again after each look. */
  show(row) {
    const key = keyOf(this.root, row);
    const { bars, level, ...state } = row;
    const told = JSON.stringify([state, this.facts]);
    const isNew = this.key !== key;
    if (!isNew && this.told === told && row.done) return;
    const hasMoved = isNew || this.told !== told;
    if (isNew) this.begin(key);
    this.told = told;
    if (hasMoved) this.title.replaceChildren(...titleOf(row));
    if (row.node) this.readNode(row, this.aborting.signal);
    else if (hasMoved) this.showExecution(row);
    if (hasMoved) this.readData(row, this.aborting.signal);
  }

  begin(key) {
    this.aborting?.abort();
    this.aborting = new AbortController();
    this.key = key;
    this.told = this.nodeTold = this.dataTold = "";
    this.logs.clear();
    this.about.replaceChildren();
    this.data.replaceChildren();
  }

  showExecution(row) {
    const isRoot = row.execution === this.root.execution;
    const link = h("p", {}, h("a", { href: addressOf(row), "data-key": "open" }, "Open this execution"));
    swap(this.about, isRoot ? factList(this.facts) : link);
  }

  async readNode(row, signal) {
    await this.read(signal, this.about, async () => {
      const node = await ask(pathOf(row, "node"), { node: row.node }, signal);
      const told = JSON.stringify(node);
      if (told !== this.nodeTold) this.drawNode(row, node);
      this.nodeTold = told;
      await Promise.all([...this.logs.values()].map((log) => log.read(signal)));
    });
  }

  drawNode(row, node) {
    const before = new Map(this.logs);
    this.logs.clear();
    const logOf = (log) => {
      const text = before.get(log.path) ?? new LogText(log);
      this.logs.set(log.path, text);
      return text.element;
    };
    const last = node.attempts.at(-1)?.error;
    const isTold = last && node.error && last.message.startsWith(node.error.message);
    swap(
      this.about,
      row.problem ? h("p", { class: "notice" }, row.problem) : null,
      factList(node.facts),
      node.error && !isTold ? errorBox(node.error) : null,
      node.deck ? place(node.deck, "the deck") : null,
      row.element === undefined ? attemptList(node.attempts, logOf) : elementList(node.attempts, row.element, logOf),
    );
  }

  async readData(row, signal) {
    await this.read(signal, this.data, async () => {
      const data = await ask(pathOf(row, "data"), { node: row.node }, signal);
      const told = JSON.stringify(data);
      if (told === this.dataTold) return;
      this.dataTold = told;
      swap(this.data, valueList(row, "inputs", data.inputs), row.done ? valueList(row, "outputs", data.outputs) : null);
    });
  }

  /** Run a read; what goes wrong is told where its result would be. */
  async read(signal, where, run) {
    try {
      await run();
    } catch (error) {
      if (!signal.aborted) where.replaceChildren(h("p", { class: "notice" }, troubleText(error)));
    }
  }
}

function titleOf(row) {
  const name = row.node ? row.node + (row.element === undefined ? "" : `[${row.element}]`) : row.execution;
  const extra = [row.what || row.kind, cacheText(row) && `cache: ${cacheText(row)}`];
  return [name, badge(row.phase), h("span", { class: "what" }, extra.filter(Boolean).join(" · "))];
}

/** The text of a log, which grows while its attempt runs. */
class LogText {
  constructor(log) {
    this.path = log.path;
    this.text = h("pre", { class: "log", tabindex: "0", role: "region", "aria-label": `Log ${log.name}`, "data-key": `text ${log.path}` });
    this.element = h("details", { open: true }, h("summary", { "data-key": `sum ${log.path}` }, "Text of the log"), this.text);
  }

  async read(signal) {
    const answer = await fetch(this.path, { signal });
    const text = await answer.text();
    const isLong = text.length > LONGEST_LOG;
    const shown = isLong ? `… the last ${LONGEST_LOG} characters:\n${text.slice(-LONGEST_LOG)}` : text;
    const told = answer.ok ? shown || "Nothing was written." : "There is no text of this log yet.";
    if (told === this.text.textContent) return;
    this.text.textContent = told;
    this.text.scrollTop = this.text.scrollHeight;
  }
}
