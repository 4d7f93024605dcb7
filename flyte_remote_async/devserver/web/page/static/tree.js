// The tree of an execution with its timeline: a treegrid, gone through with the arrow keys.

import { badge, h, kindOf, lengthText, tookText } from "./dom.js";
import { Grid } from "./grid.js";
import { keyOf } from "./routes.js";

// Above this many rows, what is deep and went well is folded at first.
const MANY = 300;
const INDENTED = 12;

export class Tree {
  constructor(root, { select, enter, back }) {
    this.root = root;
    this.entries = [];
    this.made = new Map();
    this.folded = null;
    this.selected = "";
    this.filtered = "";
    this.filter = h("input", {
      type: "search",
      "aria-label": "Filter nodes by id, task or phase",
      placeholder: "Filter nodes",
      autocomplete: "off",
      spellcheck: "false",
      oninput: () => this.onFilter(),
      onkeydown: (event) => this.onFilterKey(event),
    });
    this.count = h("p", { class: "count" });
    this.length = h("span");
    const head = ["Node", "Phase", "Tries", "Cache", "Time"].map((each) => h("th", { scope: "col", class: `at-${each.toLowerCase()}` }, each));
    const axis = h("th", { scope: "col", class: "at-line" }, h("span", { class: "axis" }, h("span", {}, "Timeline"), this.length));
    this.body = h("tbody");
    this.table = h("table", { class: "tree", role: "treegrid", "aria-label": "Nodes and timeline" }, h("thead", {}, h("tr", {}, head, axis)), this.body);
    this.grid = new Grid(this.table, this.body, {
      open: (row) => {
        select(row.dataset.key);
        enter();
      },
      back,
      other: (event, row) => this.onOther(event, row, select),
    });
    this.table.addEventListener("click", (event) => {
      const row = event.target.closest("tr[data-key]");
      if (!row) return;
      if (event.target.closest(".fold")) this.fold(row.dataset.key);
      else select(row.dataset.key);
      this.grid.focus(row.dataset.key);
    });
    this.element = h("section", { class: "nodes", "aria-label": "Nodes" }, h("div", { class: "tools" }, this.filter, this.count), h("div", { class: "frame" }, this.table));
  }

  focus(options) {
    this.grid.focus(this.grid.key ?? this.selected, options);
  }

  focusFilter() {
    this.filter.focus();
    this.filter.select();
  }

  /** Return the row of a key. */
  rowOf(key) {
    return this.entries.find((entry) => entry.key === key)?.row;
  }

  /** Show other rows, or the same ones in another state. */
  update(rows, leftOut, now) {
    this.entries = entriesOf(this.root, rows);
    this.leftOut = leftOut;
    this.folded ??= new Set(rows.length > MANY ? this.entries.filter(isFoldedAtFirst).map((entry) => entry.key) : []);
    const told = this.made;
    this.made = new Map();
    for (const entry of this.entries) {
      const state = JSON.stringify([entry.row, entry.parts.length, entry.position, entry.siblings()]);
      const before = told.get(entry.key);
      this.made.set(entry.key, before?.state === state ? before : { state, element: this.rowElement(entry) });
    }
    this.table.classList.toggle("uncached", !rows.some((row) => cacheText(row)));
    this.draw();
    this.tick(now);
  }

  /** Show the time that goes on. */
  tick(now) {
    const [root] = this.entries;
    if (!root) return;
    const end = root.row.done ? latest(this.entries) : now;
    const span = Math.max(end - root.row.created, 1);
    this.table.style.setProperty("--span", span);
    this.length.textContent = lengthText(span);
    for (const { key, row } of this.entries) if (!row.done || row === root.row) this.made.get(key).element.querySelector(".took").textContent = tookText(row, now);
  }

  select(key) {
    this.selected = key;
    for (const entry of this.entries) if (entry.key === key) for (let up = entry.parent; up; up = up.parent) if (this.folded.delete(up.key)) this.isStale = true;
    if (this.isStale) this.draw();
    for (const row of this.body.querySelectorAll('tr[aria-selected="true"]')) row.setAttribute("aria-selected", "false");
    this.made.get(key)?.element.setAttribute("aria-selected", "true");
    if (this.grid.key === null || !this.table.contains(document.activeElement)) this.grid.note(this.made.get(key)?.element);
  }

  draw() {
    this.isStale = false;
    const words = this.filtered.toLowerCase();
    const kept = words ? matching(this.entries, words) : null;
    const shown = this.entries.filter((entry) => (kept ? kept.has(entry) : !isHidden(entry, this.folded)));
    for (const entry of shown) {
      const { element } = this.made.get(entry.key);
      if (entry.parts.length) element.setAttribute("aria-expanded", kept || !this.folded.has(entry.key) ? "true" : "false");
    }
    const elements = shown.map((entry) => this.made.get(entry.key).element);
    const isSame = elements.length === this.body.rows.length && elements.every((each, index) => each === this.body.rows[index]);
    if (!isSame) this.grid.fill(elements);
    const left = this.leftOut ? `; ${this.leftOut} more are not shown` : "";
    this.count.textContent = kept ? `${kept.size} of ${this.entries.length} shown${left}` : `${this.entries.length - 1} below the execution${left}`;
  }

  rowElement(entry) {
    const { row, key, parts, position } = entry;
    const name = row.element === undefined ? row.node || row.execution : `[${row.element}]`;
    const what = [row.label, row.what || (row.kind === "element" ? "" : row.kind)].filter(Boolean).join(" ");
    const cell = h("td", { class: "node" }, h("span", { class: `fold${parts.length ? "" : " leaf"}`, "aria-hidden": "true" }), h("span", { class: "name" }, name), " ", h("span", { class: "what" }, what));
    cell.style.setProperty("--level", Math.min(row.level, INDENTED) - 1);
    cell.title = `${name} ${what}`;
    return h(
      "tr",
      {
        "data-key": key,
        tabindex: "-1",
        "aria-level": row.level,
        "aria-setsize": entry.siblings(),
        "aria-posinset": position,
        "aria-selected": key === this.selected ? "true" : "false",
      },
      cell,
      h("td", { class: "phases" }, badge(row.phase)),
      h("td", { class: "number tries" }, row.attempts ? row.attempts : ""),
      h("td", { class: "cache" }, cacheText(row)),
      h("td", { class: "number took time" }, row.end ? tookText(row, row.end) : ""),
      h("td", { class: "line" }, this.lane(row)),
    );
  }

  lane(row) {
    const lane = h("span", { class: `lane ${kindOf(row.phase)}`, "aria-hidden": "true" });
    if (row.created === null || row.created === undefined) return lane;
    const zero = this.entries[0].row.created;
    const bar = (what, start, end) => {
      if (start === null) return;
      const made = h("span", { class: `bar ${what}` });
      made.style.setProperty("--from", start - zero);
      if (end !== null) made.style.setProperty("--to", end - zero);
      lane.append(made);
    };
    bar("whole", row.created, row.end);
    for (const [what, start, end] of row.bars) bar(what, start, end);
    return lane;
  }

  fold(key, shut = !this.folded.has(key)) {
    if (shut) this.folded.add(key);
    else this.folded.delete(key);
    this.draw();
  }

  onOther(event, element, select) {
    const entry = this.entries.find((each) => each.key === element.dataset.key);
    const isOpen = element.getAttribute("aria-expanded") === "true";
    const isShut = element.getAttribute("aria-expanded") === "false";
    if (event.key === " ") select(entry.key);
    else if (event.key === "ArrowRight" && isShut) this.fold(entry.key, false);
    else if (event.key === "ArrowRight" && isOpen) this.grid.focus(element.nextElementSibling?.dataset.key);
    else if (event.key === "ArrowLeft" && isOpen && !this.filtered) this.fold(entry.key, true);
    else if (event.key === "ArrowLeft" && entry.parent) this.grid.focus(entry.parent.key);
    else return false;
    return true;
  }

  onFilter() {
    this.filtered = this.filter.value.trim();
    this.draw();
  }

  onFilterKey(event) {
    if (event.key === "ArrowDown" || event.key === "Enter") this.focus();
    else if (event.key === "Escape" && this.filter.value) {
      this.filter.value = "";
      this.onFilter();
    } else if (event.key === "Escape") this.focus();
    else return;
    event.preventDefault();
  }
}

/** Return rows with what is above and below each. */
function entriesOf(root, rows) {
  const open = [];
  return rows.map((row) => {
    open.length = row.level - 1;
    const parent = open.at(-1);
    const entry = { row, key: row.level === 1 ? "" : keyOf(root, row), parent, parts: [], position: (parent?.parts.length ?? 0) + 1 };
    entry.siblings = () => parent?.parts.length ?? 1;
    parent?.parts.push(entry);
    open.push(entry);
    return entry;
  });
}

/** Return what the cache did for a row, in words. */
export function cacheText(row) {
  const text = (row.cache ?? "").replace(/^CACHE_/, "").toLowerCase().replaceAll("_", " ");
  return text === "disabled" ? "" : text;
}

function isFoldedAtFirst({ row, parts }) {
  return row.level > 2 && parts.length > 0 && row.done && kindOf(row.phase) === "good";
}

function isHidden(entry, folded) {
  for (let up = entry.parent; up; up = up.parent) if (folded.has(up.key)) return true;
  return false;
}

/** Return the entries that have the words, with all that is above them. */
function matching(entries, words) {
  const kept = new Set();
  for (const entry of entries) {
    const { row, key } = entry;
    const text = `${decodeURIComponent(key)} ${row.label ?? ""} ${row.what} ${row.kind} ${row.phase} ${row.cache ?? ""}`.toLowerCase();
    if (text.includes(words)) for (let up = entry; up && !kept.has(up); up = up.parent) kept.add(up);
  }
  return kept;
}

function latest(entries) {
  return entries.reduce((last, { row }) => Math.max(last, row.end ?? 0, row.created ?? 0), 0);
}
