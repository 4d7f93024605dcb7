// The page: shows what the address asks for, and takes the keys that hold everywhere.

import { ask, troubleText } from "./asking.js";
import { h } from "./dom.js";
import { ExecutionView } from "./execution.js";
import { ListView } from "./list.js";
import { listAddress, parse } from "./routes.js";

const place = document.getElementById("view");
let shown = null;
let lastList = "#/";

async function start() {
  const { places } = await ask("places");
  const newest = places.reduce((best, each) => ((each.newest ?? -1) > (best?.newest ?? -1) ? each : best), null);
  const first = newest ?? places.find((each) => each.domain === "development") ?? places[0];
  if (first) location.replace(listAddress(first));
  else place.replaceChildren(h("p", { class: "notice" }, "There is no project yet."));
}

function show(wanted) {
  shown?.stop();
  shown = wanted.view === "list" ? new ListView(wanted) : new ExecutionView(wanted, () => lastList);
  place.replaceChildren(shown.element);
  shown.begin();
}

async function follow() {
  const wanted = parse(location.hash);
  if (wanted.view === "list") lastList = location.hash;
  if (wanted.view === "start") {
    try {
      await start();
    } catch (error) {
      document.getElementById("trouble").textContent = troubleText(error);
      setTimeout(follow, 2000);
    }
  } else if (!shown?.goTo(wanted)) {
    show(wanted);
  }
}

addEventListener("hashchange", follow);
addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest?.("input, select, textarea")) return;
  event.preventDefault();
  shown?.focusFilter();
});
follow();
