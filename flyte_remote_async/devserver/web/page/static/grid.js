// Rows that are gone through with the arrow keys: one of them is in the order of tabs, as in the pattern of ARIA's grids.

const STEPS = { ArrowDown: 1, ArrowUp: -1, PageDown: 15, PageUp: -15 };

export class Grid {
  constructor(table, body, { open, back, other = () => false }) {
    this.table = table;
    this.body = body;
    this.open = open;
    this.back = back;
    this.other = other;
    this.key = null;
    table.addEventListener("keydown", (event) => this.onKey(event));
    table.addEventListener("focusin", (event) => this.note(event.target.closest("tr[data-key]")));
  }

  /** Show these rows; the one that is gone through stays, and keeps the focus if it has it. */
  fill(rows) {
    const hadFocus = this.table.contains(document.activeElement);
    const at = Math.max(this.rows.findIndex((row) => row.dataset.key === this.key), 0);
    this.body.replaceChildren(...rows);
    const same = rows.find((row) => row.dataset.key === this.key) ?? rows[Math.min(at, rows.length - 1)];
    this.note(same);
    if (hadFocus) same?.focus({ preventScroll: true });
  }

  /** Give the focus to the row of a key, or to the one that was gone through last. */
  focus(key = null, options = {}) {
    const rows = this.rows;
    const row = rows.find((each) => each.dataset.key === key) ?? rows.find((each) => each.tabIndex === 0) ?? rows[0];
    row?.focus(options);
  }

  get rows() {
    return [...this.body.rows];
  }

  note(row) {
    if (!row) return;
    for (const each of this.body.querySelectorAll('tr[tabindex="0"]')) if (each !== row) each.tabIndex = -1;
    row.tabIndex = 0;
    this.key = row.dataset.key;
  }

  onKey(event) {
    const row = event.target.closest("tr[data-key]");
    if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
    const rows = this.rows;
    const at = rows.indexOf(row);
    const last = rows.length - 1;
    const jumps = { Home: 0, End: last };
    if (event.key in STEPS) rows[Math.min(Math.max(at + STEPS[event.key], 0), last)].focus();
    else if (event.key in jumps) rows[jumps[event.key]].focus();
    else if (event.key === "Enter" && event.target === row) this.open(row);
    else if (event.key === "Escape") this.back(row);
    else if (!this.other(event, row)) return;
    event.preventDefault();
    event.stopPropagation();
  }
}
