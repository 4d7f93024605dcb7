// Asks the server, again and again while somebody looks.

/** Return what the server answers. */
export async function ask(path, parameters = {}, signal = undefined) {
  const given = Object.entries(parameters).filter(([, value]) => value);
  const query = new URLSearchParams(given).toString();
  const answer = await fetch(`/console/api/${path}${query ? `?${query}` : ""}`, { signal });
  const content = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(content.error), { status: answer.status });
  return content;
}

/** Return the path of what is asked about an execution. */
export function pathOf(row, what = "") {
  const place = [row.project, row.domain, row.execution].map(encodeURIComponent).join("/");
  return `executions/${place}${what && `/${what}`}`;
}

const trouble = () => document.getElementById("trouble");

/**
 * Looks again and again: soon after something has moved, more and more rarely while nothing does, and not at all while
 * the page is hidden. `look` gets a signal and answers "moved", "still" or "over".
 */
export class Poller {
  constructor(look, { fastest = 1000, slowest = 10000 } = {}) {
    this.look = look;
    this.fastest = fastest;
    this.slowest = slowest;
    this.pause = fastest;
    this.over = false;
    this.aborting = null;
    this.onVisible = () => (document.hidden ? this.rest() : this.now());
    document.addEventListener("visibilitychange", this.onVisible);
  }

  /** Look at once, and take up looking again. */
  async now() {
    this.rest();
    if (this.over) return;
    const aborting = (this.aborting = new AbortController());
    try {
      const found = await this.look(aborting.signal);
      if (aborting.signal.aborted) return;
      trouble().textContent = "";
      this.over = found === "over";
      this.pause = found === "moved" ? this.fastest : Math.min(this.pause * 1.5, this.slowest);
    } catch (error) {
      if (aborting.signal.aborted) return;
      trouble().textContent = troubleText(error);
      this.pause = Math.min(this.pause * 2, this.slowest);
    }
    if (!this.over && !document.hidden) this.timer = setTimeout(() => this.now(), this.pause);
  }

  /** Do not look until something asks for it. */
  rest() {
    clearTimeout(this.timer);
    this.aborting?.abort();
  }

  /** Never look again. */
  stop() {
    this.over = true;
    this.rest();
    document.removeEventListener("visibilitychange", this.onVisible);
    trouble().textContent = "";
  }
}

/** Return what went wrong, in words. */
export function troubleText(error) {
  if (error.status === undefined) return "The devserver does not answer. It is asked again.";
  return error.message || `The devserver answered with status ${error.status}.`;
}
