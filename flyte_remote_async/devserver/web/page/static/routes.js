// Addresses within the page: what comes after the #.

const joined = (...parts) => parts.map(encodeURIComponent).join("/");

/** Return the address of a list of executions. */
export function listAddress({ project, domain, text, phase, trail }) {
  const given = Object.entries({ text, phase, trail: trail?.join("~") }).filter(([, value]) => value);
  const query = new URLSearchParams(given).toString();
  return `#/executions/${joined(project, domain)}${query ? `?${query}` : ""}`;
}

/** Return the address of an execution; of one of its nodes, or one in an execution that it has started. */
export function executionAddress(root, key = "") {
  return `#/executions/${joined(root.project, root.domain, root.execution)}${key && `/${key}`}`;
}

/** Return the name of a row within the tree of an execution: it ends its address. */
export function keyOf(root, row) {
  const node = row.element === undefined ? row.node : `${row.node}[${row.element}]`;
  if (row.execution === root.execution) return joined(node);
  return joined(row.execution, node);
}

/** Return what an address asks for. */
export function parse(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
  const parts = path.split("/");
  const [first, project, domain, execution, ...key] = parts.map(decoded);
  if (first !== "executions" || !project || !domain) return { view: "start" };
  if (execution) return { view: "execution", project, domain, execution, key: key.map(encodeURIComponent).join("/") };
  const given = new URLSearchParams(query);
  const trail = (given.get("trail") ?? "").split("~").filter(Boolean);
  return { view: "list", project, domain, text: given.get("text") ?? "", phase: given.get("phase") ?? "", trail };
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // a lone percent sign that somebody typed
  }
}
