// Pieces of details: errors, facts, values, attempts, logs.

import { badge, h, lengthText, moment, webLink } from "./dom.js";
import { pathOf } from "./asking.js";
import { executionAddress, keyOf } from "./routes.js";

/** Return an error of Flyte's, whole. */
export function errorBox(error) {
  const kind = error.kind && error.kind !== "UNKNOWN" ? ` (${error.kind.toLowerCase()})` : "";
  const head = error.code || kind ? h("p", {}, h("strong", {}, error.code || "Error"), kind) : null;
  return h("div", { class: "error" }, head, scrolling("Error message", error.message || "No message was given."));
}

/** Return text that is scrolled where it is long, with the keys too. */
export function scrolling(label, text) {
  return h("pre", { tabindex: "0", role: "region", "aria-label": label, "data-key": `text ${label}` }, text);
}

/** Return facts: a list of names and texts, some of them links. */
export function factList(facts) {
  const pairs = facts.map(({ label, text, target }) => [
    h("dt", {}, label),
    h("dd", {}, target ? h("a", { href: addressOf(target), "data-key": `fact ${label}` }, text) : text),
  ]);
  return pairs.length ? h("dl", { class: "facts" }, pairs) : null;
}

/** Return the address of the page of an execution, or of a node in it. */
export function addressOf(target) {
  return executionAddress(target, target.node ? keyOf(target, target) : "");
}

/** Return inputs or outputs. */
export function valueList(row, side, { problem, values, left_out: leftOut }) {
  const title = h("h3", {}, side === "inputs" ? "Inputs" : "Outputs");
  if (problem) return [title, h("p", { class: "notice" }, problem)];
  if (!values.length) return [title, h("p", { class: "none" }, "None")];
  const more = leftOut ? h("p", { class: "none" }, `and ${leftOut} more`) : null;
  return [title, ...values.map((value) => valueBox(row, side, value)), more];
}

function valueBox(row, side, value) {
  const query = new URLSearchParams({ node: row.node, side, name: value.name });
  const whole = h(
    "a",
    { href: `/console/api/${pathOf(row, "literal")}?${query}`, target: "_blank", rel: "noopener", "data-key": `${side} ${value.name}` },
    `Show all of ${value.name} (${sizeText(value.bytes)})`,
  );
  const text = value.is_text && !value.text ? '""' : value.text;
  return h(
    "div",
    { class: "value" },
    h("h4", {}, value.name, value.type ? h("span", { class: "type" }, value.type) : null),
    text ? scrolling(`${side} ${value.name}`, text + (value.cut ? "…" : "")) : null,
    value.cut ? h("p", {}, whole) : null,
    value.places.map((uri) => place(uri)),
  );
}

/** Return a link to where something is stored; plain text where it cannot be opened from here. */
export function place(uri, label = uri) {
  if (!uri.startsWith("s3://my-s3-bucket/")) return /^https?:/i.test(uri) ? h("p", {}, webLink(uri, label, `place ${uri}`)) : null;
  const href = `/console/api/object?${new URLSearchParams({ uri })}`;
  return h("p", {}, h("a", { href, target: "_blank", rel: "noopener", "data-key": `place ${uri}` }, `Open ${label}`));
}

function sizeText(bytes) {
  if (bytes < 1e3) return `${bytes} bytes`;
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Return the attempts of a node, the last first; `logOf` gives the element with the text of a log. */
export function attemptList(attempts, logOf) {
  if (!attempts.length) return [];
  const boxes = attempts.toReversed().map((attempt) =>
    h(
      "div",
      { class: "attempt" },
      h("h4", {}, `Attempt ${attempt.attempt}`, badge(attempt.phase), attempt.took === null ? null : lengthText(attempt.took * 1000)),
      attempt.error ? errorBox(attempt.error) : null,
      reasonList(attempt.reasons),
      logList(attempt.logs, logOf),
    ),
  );
  return [h("h3", {}, attempts.length > 1 ? `${attempts.length} attempts` : "Attempt"), ...boxes];
}

/** Return the tries of one element of an array. */
export function elementList(attempts, index, logOf) {
  const tries = attempts.flatMap((attempt) => attempt.elements).filter((element) => element.index === index);
  const boxes = tries.map((each) =>
    h("div", { class: "attempt" }, h("h4", {}, `Try ${each.attempt}`, badge(each.phase)), logList(each.logs, logOf)),
  );
  return [h("h3", {}, `Element ${index}`), ...boxes];
}

function reasonList(reasons) {
  if (!reasons.length) return null;
  return h("ul", { class: "reasons" }, reasons.map(({ at, text }) => h("li", {}, moment(at), " ", h("span", {}, text))));
}

function logList(logs, logOf) {
  return logs.map((log) => [h("p", {}, "Log: ", webLink(log.uri, log.name, `log ${log.uri}`)), log.path ? logOf(log) : null]);
}
