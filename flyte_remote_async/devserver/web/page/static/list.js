// The list of executions.

import { ask, Poller } from "./asking.js";
import { announce, badge, h, moment, tookText } from "./dom.js";
import { Grid } from "./grid.js";
import { executionAddress, listAddress } from "./routes.js";

const PHASES = ["QUEUED", "RUNNING", "SUCCEEDING", "SUCCEEDED", "FAILING", "FAILED", "ABORTING", "ABORTED", "TIMED_OUT"];
const TYPING = 250;

// Who comes back from an execution finds the row that led there.
let lastRow = null;

export class ListView {
  constructor(wanted) {
    this.wanted = wanted;
    this.trail = wanted.trail;
    this.rows = [];
    this.told = "";
    this.place = h("select", { "aria-label": "Project and domain", onchange: () => this.movePlace() });
    this.text = h("input", {
      type: "search",
      "aria-label": "Filter by name or workflow",
      placeholder: "Name or workflow",
      autocomplete: "off",
      spellcheck: "false",
      oninput: () => this.filterSoon(),
      onkeydown: (event) => this.onFilterKey(event),
    });
    this.text.value = wanted.text;
    this.phase = h(
      "select",
      { "aria-label": "Phase", onchange: () => this.filter() },
      h("option", { value: "" }, "All phases"),
      PHASES.map((phase) => h("option", { value: phase, selected: phase === wanted.phase }, phase)),
    );
    this.count = h("p", { class: "count" });
    const head = ["Phase", "Execution", "Workflow", "Started", "Duration"].map((each) => h("th", { scope: "col" }, each));
    this.body = h("tbody");
    this.table = h("table", { class: "list", role: "grid", "aria-label": "Executions" }, h("thead", {}, h("tr", {}, head)), this.body);
    this.grid = new Grid(this.table, this.body, {
      open: (element) => (location.hash = element.dataset.address),
      back: () => {},
    });
    this.pager = h("nav", { class: "pager", "aria-label": "Pages" });
    this.element = h(
      "section",
      { "aria-label": "Executions" },
      h("h1", {}, "Executions"),
      h("div", { class: "tools" }, this.place, this.text, this.phase, this.count),
      h("div", { class: "frame" }, this.table),
      this.pager,
    );
    this.poller = new Poller((signal) => this.look(signal), { slowest: 5000 });
  }

  /** Begin to look. */
  begin() {
    document.title = "Executions · Flyte devserver";
    this.fillPlaces();
    this.poller.now();
  }

  /** Show another part of the list; answers whether that is what was asked for. */
  goTo(wanted) {
    const { project, domain } = this.wanted;
    if (wanted.view !== "list" || wanted.project !== project || wanted.domain !== domain) return false;
    this.wanted = wanted;
    this.trail = wanted.trail;
    if (this.text !== document.activeElement) this.text.value = wanted.text;
    this.phase.value = wanted.phase;
    this.poller.now();
    return true;
  }

  stop() {
    clearTimeout(this.typing);
    this.poller.stop();
  }

  focusFilter() {
    this.text.focus();
    this.text.select();
  }

  async fillPlaces() {
    const { project, domain } = this.wanted;
    const mine = `${project}/${domain}`;
    const names = new Set([mine]);
    try {
      for (const each of (await ask("places")).places) names.add(`${each.project}/${each.domain}`);
    } catch {
      // The list itself tells what is wrong.
    }
    this.place.replaceChildren(...[...names].map((name) => h("option", { selected: name === mine }, name)));
  }

  movePlace() {
    const [project, domain] = this.place.value.split("/");
    location.hash = listAddress({ project, domain });
  }

  filterSoon() {
    clearTimeout(this.typing);
    this.typing = setTimeout(() => this.filter(), TYPING);
  }

  filter() {
    const { project, domain } = this.wanted;
    location.replace(listAddress({ project, domain, text: this.text.value.trim(), phase: this.phase.value }));
  }

  onFilterKey(event) {
    if (event.key === "ArrowDown" || event.key === "Enter") {
      event.preventDefault();
      this.grid.focus();
    } else if (event.key === "Escape") {
      event.preventDefault();
      if (this.text.value) {
        this.text.value = "";
        this.filter();
      } else {
        this.grid.focus();
      }
    }
  }

  async look(signal) {
    const { project, domain, text, phase } = this.wanted;
    const found = await ask("executions", { project, domain, text, phase, token: this.trail.at(-1) }, signal);
    const told = JSON.stringify([found.rows, found.next, this.trail]);
    if (told === this.told) {
      this.tick(found.now);
      return found.rows.every((row) => row.done) ? "still" : "moved";
    }
    const isFirst = this.told === "";
    this.told = told;
    this.draw(found);
    if (isFirst && document.activeElement === document.body) this.grid.focus(lastRow, { preventScroll: lastRow === null });
    return "moved";
  }

  draw({ rows, next, now }) {
    this.rows = rows;
    this.grid.fill(rows.map((row) => this.rowElement(row, now)));
    const { project, domain, text, phase } = this.wanted;
    const where = text || phase ? "match" : `${rows.length === 1 ? "is" : "are"} in ${project}/${domain}`;
    const page = this.trail.length ? ` on page ${this.trail.length + 1}` : "";
    this.count.textContent = rows.length ? `${rows.length}${next ? "+" : ""} shown, newest first${page}` : `No executions ${where}`;
    announce(this.count.textContent);
    const address = (trail) => listAddress({ ...this.wanted, trail });
    const link = (label, trail) => (trail ? h("a", { href: address(trail) }, label) : h("span", { class: "off" }, label));
    this.pager.replaceChildren(
      link("Newer", this.trail.length ? this.trail.slice(0, -1) : null),
      link("Older", next ? [...this.trail, next] : null),
    );
    this.pager.hidden = !next && !this.trail.length;
  }

  rowElement(row, now) {
    const address = executionAddress(row);
    const open = (event) => {
      if (event.target.closest("a")) return;
      lastRow = row.execution;
      location.hash = address;
    };
    return h(
      "tr",
      { "data-key": row.execution, "data-address": address, tabindex: "-1", onclick: open, onfocus: () => (lastRow = row.execution) },
      h("td", {}, badge(row.phase)),
      h("td", { class: "name" }, h("a", { href: address, tabindex: "-1" }, row.execution)),
      h("td", { class: "what" }, row.what),
      h("td", { class: "when" }, moment(row.start ?? row.created)),
      h("td", { class: "number took" }, tookText(row, now)),
    );
  }

  tick(now) {
    const cells = this.body.querySelectorAll(".took");
    this.rows.forEach((row, index) => {
      if (!row.done) cells[index].textContent = tookText(row, now);
    });
  }
}
