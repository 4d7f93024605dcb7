// Makes elements. All that comes from the server becomes text: nothing here parses HTML.

const SVG = "http://www.w3.org/2000/svg";

/** Return an element; attributes that are null, undefined or false are left out, `on…` are listeners. */
export function h(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : String(value));
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

/** Replace what is in an element, and give the focus back to what had it, told by `data-key`. */
export function swap(element, ...children) {
  const focused = element.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  element.replaceChildren(...children.flat(Infinity).filter(Boolean));
  if (focused === undefined) return;
  const again = [...element.querySelectorAll("[data-key]")].find((each) => each.dataset.key === focused);
  again?.focus({ preventScroll: true });
}

// Each kind of phase has a colour and a shape of its own, so neither is needed to tell them apart.
const SHAPES = {
  good: "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm-1.2 10.2L3.7 8.1l1.2-1.2 1.9 1.9 4.3-4.3 1.2 1.2Z",
  bad: "M5 1h6l4 4v6l-4 4H5l-4-4V5Zm.9 3.6L4.6 5.9 6.7 8l-2.1 2.1 1.3 1.3L8 9.3l2.1 2.1 1.3-1.3L9.3 8l2.1-2.1-1.3-1.3L8 6.7Z",
  stopped: "M2 2h12v12H2Zm3 5v2h6V7Z",
  runs: "M3 1.5v13l11-6.5Z",
  waits: "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm0 2a5 5 0 1 1 0 10A5 5 0 0 1 8 3Z",
  skipped: "M2 5h2.2L8 8.4 4.2 12H2l4-3.6Zm6 0h2.2l3.8 3.4-3.8 3.6H8l4-3.6Z",
};

const KINDS = {
  SUCCEEDED: "good",
  RECOVERED: "good",
  FAILED: "bad",
  FAILING: "bad",
  TIMED_OUT: "bad",
  RETRYABLE_FAILED: "bad",
  ABORTED: "stopped",
  ABORTING: "stopped",
  RUNNING: "runs",
  DYNAMIC_RUNNING: "runs",
  INITIALIZING: "runs",
  SUCCEEDING: "runs",
  SKIPPED: "skipped",
};

/** Return which kind of phase a phase is. */
export const kindOf = (phase) => KINDS[phase] ?? "waits";

/** Return a phase in words. */
export const phaseText = (phase) => phase.charAt(0) + phase.slice(1).toLowerCase().replaceAll("_", " ");

/** Return a phase as an element: shape, colour and word. */
export function badge(phase) {
  const kind = kindOf(phase);
  const shape = document.createElementNS(SVG, "svg");
  shape.setAttribute("viewBox", "0 0 16 16");
  shape.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", SHAPES[kind]);
  path.setAttribute("fill-rule", "evenodd");
  shape.append(path);
  return h("span", { class: `phase ${kind}` }, shape, h("span", {}, phaseText(phase)));
}

/** Return a length of time in words. */
export function lengthText(milliseconds) {
  const seconds = Math.max(milliseconds, 0) / 1000;
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 59.995) return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
  const whole = Math.round(seconds);
  const two = (number) => String(number).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${two(Math.floor(whole / 60) % 60)} min`;
}

/** Return how long a row took, or has taken until now. */
export function tookText(row, now) {
  if (row.start === null || row.start === undefined) return "";
  if (row.done && (row.end === null || row.end === undefined)) return "";
  return lengthText((row.end ?? now) - row.start);
}

/** Return an instant as an element, in the reader's own time. */
export function moment(milliseconds) {
  if (milliseconds === null || milliseconds === undefined) return "";
  const at = new Date(milliseconds);
  const two = (number) => String(number).padStart(2, "0");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return h("time", { datetime: at.toISOString(), title: at.toISOString() }, `${day} ${time}`);
}

/** Tell those who do not see the page what has changed. */
export function announce(text) {
  document.getElementById("news").textContent = text;
}

/** Return a link to an address that came from the server; plain text where it is not one of the web. */
export function webLink(address, text, key) {
  if (!/^https?:\/\//i.test(address)) return h("span", {}, text === address ? text : `${text} ${address}`);
  return h("a", { href: address, target: "_blank", rel: "noopener noreferrer", "data-key": key }, text);
}
