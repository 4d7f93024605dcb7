// One execution: what became of it, its tree with the timeline, and the details of what is selected.

import { ask, pathOf, Poller } from "./asking.js";
import { Details } from "./details.js";
import { announce, badge, h, moment, phaseText, swap, tookText } from "./dom.js";
import { errorBox } from "./pieces.js";
import { executionAddress, keyOf } from "./routes.js";
import { Tree } from "./tree.js";

export class ExecutionView {
  constructor(wanted, backAddress) {
    this.root = { project: wanted.project, domain: wanted.domain, execution: wanted.execution, node: "" };
    this.key = wanted.key;
    this.backAddress = backAddress;
    this.told = "";
    this.head = h("div", { class: "head" }, h("h1", {}, wanted.execution));
    this.outcome = h("div", { class: "outcome" });
    this.tree = new Tree(this.root, {
      select: (key) => location.replace(executionAddress(this.root, key)),
      enter: () => this.details.focus(),
      back: () => (location.hash = this.backAddress()),
    });
    this.details = new Details(this.root, { back: () => this.tree.focus() });
    this.element = h(
      "section",
      { "aria-label": `Execution ${wanted.execution}` },
      h("nav", { class: "crumbs", "aria-label": "Breadcrumbs" }, h("a", { href: backAddress() }, "Executions"), " / ", wanted.execution),
      this.head,
      this.outcome,
      h("div", { class: "split" }, this.tree.element, this.details.element),
    );
    this.element.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !event.defaultPrevented) location.hash = this.backAddress();
    });
    this.poller = new Poller((signal) => this.look(signal));
  }

  begin() {
    document.title = `${this.root.execution} · Flyte devserver`;
    this.poller.now();
  }

  goTo(wanted) {
    const { project, domain, execution } = this.root;
    const isMine = wanted.project === project && wanted.domain === domain && wanted.execution === execution;
    if (wanted.view !== "execution" || !isMine) return false;
    this.select(wanted.key);
    return true;
  }

  stop() {
    this.poller.stop();
    this.details.stop();
  }

  focusFilter() {
    this.tree.focusFilter();
  }

  async look(signal) {
    const found = await ask(pathOf(this.root), {}, signal);
    const { now, ...rest } = found;
    const told = JSON.stringify(rest);
    const hasMoved = told !== this.told;
    const isFirst = this.told === "";
    this.told = told;
    if (hasMoved) this.draw(found);
    else this.tick(now);
    if (hasMoved) this.tree.update(found.rows, found.left_out, now);
    else this.tree.tick(now);
    this.select(this.key);
    if (isFirst && document.activeElement === document.body) this.tree.focus({ preventScroll: true });
    if (found.rows.every((row) => row.done)) return "over";
    return hasMoved ? "moved" : "still";
  }

  select(key) {
    this.key = key;
    this.tree.select(key);
    const row = this.tree.rowOf(key);
    if (row) this.details.show(row);
    else if (this.told) this.details.missing(key);
  }

  draw(found) {
    if (this.phase !== found.phase) announce(`Execution ${found.execution}: ${phaseText(found.phase)}`);
    this.phase = found.phase;
    this.found = found;
    this.took = h("span", { class: "took" });
    const times = [found.start ? "Started" : "Created", " ", moment(found.start ?? found.created)];
    swap(
      this.head,
      h("h1", {}, found.execution),
      badge(found.phase),
      h("span", { class: "what" }, found.what),
      h("span", { class: "times" }, times, " · ", this.took),
    );
    swap(this.outcome, this.abort(found.abort), this.failure(found), found.error && errorBox(found.error));
    this.details.facts = found.facts;
    this.tick(found.now);
  }

  tick(now) {
    const took = tookText(this.found, now);
    this.took.textContent = took && (this.found.done ? `took ${took}` : `for ${took}`);
  }

  abort(abort) {
    if (!abort) return null;
    return h("p", { class: "notice" }, abort.by ? `Aborted by ${abort.by}: ` : "Aborted: ", abort.cause);
  }

  failure({ failure, error }) {
    if (!failure) return null;
    const links = failure.path.map((target, index) => {
      const key = keyOf(this.root, target);
      const address = executionAddress(this.root, key);
      return [index ? " › " : "", h("a", { href: address, "data-key": `failure ${key}` }, target.node || target.execution)];
    });
    const isOther = failure.error && failure.error.message !== error?.message;
    return h("div", { class: "failure" }, h("p", {}, "First failure: ", links), isOther ? errorBox(failure.error) : null);
  }
}
