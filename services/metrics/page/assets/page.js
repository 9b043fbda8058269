// Keeps the tables of the page as the server tells them: only texts and attributes, never markup.
"use strict";

const SVG = "http://www.w3.org/2000/svg";
const LINES = ["answer", "market"];
let ahead_ms = 0; // by how much the server's clock is ahead of ours

function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${whole % 60}s`;
  return `${Math.floor(whole / 3600)}h ${Math.floor((whole % 3600) / 60)}m`;
}

// A text that is the same is left alone: a screen reader need not read it again.
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function shape(name, attributes, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function title(text) {
  return shape("title", {}, text);
}

function plot(cell) {
  const lines = cell.lines.map((points, index) => shape("polyline", { points, class: LINES[index] }));
  return shape("svg", { class: "plot", viewBox: "0 0 120 28", preserveAspectRatio: "none", role: "img" },
    title(`answer and market: ${cell.text ?? ""}`), ...lines);
}

function bar(cell) {
  const parts = cell.parts.map(([hop, x, width, words]) =>
    shape("rect", { x, y: 0, width, height: 10, class: `hop-${hop}` }, title(words)));
  return shape("svg", { class: "bar", viewBox: "0 0 200 10", preserveAspectRatio: "none", role: "img" },
    title(cell.parts.map((part) => part[3]).join(", ")), ...parts);
}

function text(cell) {
  if (cell.since_ms !== undefined) {
    const seconds = (Date.now() + ahead_ms - cell.since_ms) / 1000;
    return element("span", { "data-since": cell.since_ms }, duration(seconds));
  }
  return cell.link ? element("a", { href: cell.link }, cell.text ?? "") : cell.text ?? "";
}

function fill(place, cell) {
  if (cell.tone) place.setAttribute("data-tone", cell.tone);
  else place.removeAttribute("data-tone");
  const link = place.querySelector("a");
  const span = place.querySelector("[data-since]");
  const drawing = place.querySelector("svg");
  const fresh = cell.lines ? plot(cell) : cell.parts ? bar(cell) : null;
  if (link && cell.link && Boolean(drawing) === Boolean(fresh)) { // it may have the focus
    if (link.getAttribute("href") !== cell.link) link.setAttribute("href", cell.link);
    say(link, cell.text ?? "");
    if (fresh) drawing.replaceWith(fresh);
  } else if (span && cell.since_ms !== undefined) {
    span.setAttribute("data-since", cell.since_ms);
    say(span, text(cell).textContent);
  } else if (fresh) {
    place.replaceChildren(fresh, element("small", {}, text(cell)));
  } else if (cell.link || cell.since_ms !== undefined || place.firstElementChild) {
    place.replaceChildren(text(cell));
  } else {
    say(place, cell.text ?? "");
  }
}

function newRow(key, columns) {
  const row = element("tr", { "data-key": key });
  columns.forEach((column, index) =>
    row.append(index ? element("td", { "data-column": column }) : element("th", { scope: "row", "data-column": column })));
  return row;
}

function fillTable(id, told) {
  const table = document.querySelector(`[data-table="${id}"]`);
  if (!table) return;
  const body = table.tBodies[0];
  const columns = [...table.tHead.rows[0].cells].map((cell) => cell.textContent);
  const rows = new Map([...body.rows].map((row) => [row.dataset.key, row]));
  for (const [key, cells] of Object.entries(told.rows ?? {})) {
    if (!rows.has(key)) rows.set(key, newRow(key, columns));
    cells.forEach((cell, index) => fill(rows.get(key).cells[index], cell));
  }
  if (told.order) {
    const wanted = new Set(told.order);
    for (const [key, row] of rows) if (!wanted.has(key)) row.remove();
    told.order.forEach((key, index) => {
      const row = rows.get(key);
      if (row && body.rows[index] !== row) body.insertBefore(row, body.rows[index] ?? null);
    });
  }
  if (told.notes) {
    const list = document.getElementById(`${id}-notes`);
    if (list) list.replaceChildren(...told.notes.map((note) => element("li", {}, note)));
  }
}

function fillVerdict(told) {
  const state = told.well === null ? "unknown" : told.well ? "ok" : "bad";
  document.getElementById("verdict").dataset.state = state;
  say(document.getElementById("verdict-state"), { ok: "OK", bad: "BROKEN", unknown: "UNKNOWN" }[state]);
  say(document.getElementById("verdict-words"), told.words);
}

function live(words) {
  say(document.getElementById("live"), words);
}

function follow() {
  const source = new EventSource(`/events${location.search}`);
  source.addEventListener("changes", (event) => {
    const told = JSON.parse(event.data);
    ahead_ms = told.now_ms - Date.now();
    if (told.verdict) fillVerdict(told.verdict);
    for (const [id, table] of Object.entries(told.tables ?? {})) fillTable(id, table);
    live("live");
  });
  source.addEventListener("error", () => {
    live("not live: the mesh gives no answer, trying again");
    if (source.readyState === EventSource.CLOSED) setTimeout(follow, 5000); // there was no room for one more
  });
}

setInterval(() => {
  for (const span of document.querySelectorAll("[data-since]")) {
    say(span, duration((Date.now() + ahead_ms - Number(span.dataset.since)) / 1000));
  }
}, 1000);
follow();
