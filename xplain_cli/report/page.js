// Finds and sorts rows in the page; it asks nothing of any network, and writes text, never HTML.
"use strict";
(() => {
  const source = document.getElementById("lines");
  for (const [event, open] of [["beforeprint", true], ["afterprint", false]]) {
    addEventListener(event, () => {
      for (const one of document.querySelectorAll("article > details")) {
        if (open) { one.dataset.was = one.open; one.open = true; }
        else if (one.dataset.was) { one.open = one.dataset.was === "true"; }
      }
    });
  }
  if (!source) { return; }
  const STEP = 25;
  const held = JSON.parse(source.textContent);
  const at = (id) => document.getElementById(id);
  const body = document.querySelector("#list tbody");
  const rows = held.lines.map((line, order) => {
    const reasons = [];
    for (let i = 6; i < line.length; i += 2) {
      reasons.push(held.words[line[i]] + " (" + line[i + 1] + ")");
    }
    const row = {
      order, card: line[5], row: line[0], target: held.words[line[1]], prediction: line[2],
      precision: held.words[line[3]], fidelity: held.words[line[4]], reasons: reasons.join(", "),
    };
    row.text = held.columns.map((key) => row[key] ?? "").join("\n").toLowerCase();
    return row;
  });
  const compare = new Intl.Collator(undefined, { numeric: true }).compare;
  let key = null, down = false, shown = STEP, met = rows;

  function cell(row, name) {
    const made = document.createElement(name === "row" ? "th" : "td");
    const word = document.createElement("bdi");
    const value = row[name];
    if (name === "row") { made.scope = "row"; }
    if (name === "prediction") { made.className = "figure"; }
    word.textContent = value === null ? "\u2013" : String(value).replace("-", name === "prediction" ? "\u2212" : "-");
    if (name === "row" && row.card) {
      const link = document.createElement("a");
      link.href = "#e" + row.card;
      link.append(word);
      made.append(link);
    } else { made.append(word); }
    return made;
  }

  function draw() {
    const lines = met.slice(0, shown).map((row) => {
      const line = document.createElement("tr");
      line.append(...held.columns.map((name) => cell(row, name)));
      return line;
    });
    body.replaceChildren(...lines);
    at("met").textContent = met.length === rows.length
      ? lines.length + " of " + rows.length + " are shown"
      : met.length + " of " + rows.length + " match, " + lines.length + " are shown";
    at("more").hidden = lines.length === met.length;
  }

  function order(one, other) {
    if (key === null) { return one.order - other.order; }
    const a = one[key], b = other[key];
    if (a === null || b === null) { return (a === null) - (b === null); }
    const sign = key === "prediction" ? a - b : compare(a, b);
    return (down ? -sign : sign) || one.order - other.order;
  }

  function find() {
    const words = at("wanted").value.toLowerCase().split(/\s+/).filter(Boolean);
    met = rows.filter((row) => words.every((word) => row.text.includes(word))).sort(order);
    shown = STEP;
    draw();
  }

  for (const button of document.querySelectorAll("#list thead button")) {
    button.addEventListener("click", () => {
      const same = key === button.dataset.key;
      down = same ? !down : button.dataset.key === "prediction";
      key = button.dataset.key;
      for (const head of document.querySelectorAll("#list thead th")) { head.removeAttribute("aria-sort"); }
      button.parentElement.setAttribute("aria-sort", down ? "descending" : "ascending");
      find();
    });
  }
  at("wanted").addEventListener("input", find);
  at("more").addEventListener("click", () => { shown += 4 * STEP; draw(); });
  at("still").remove();
  at("search").hidden = false;
  draw();
})();
