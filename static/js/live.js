// Asks every two seconds what changed. Rows on the page are patched where they stand; new ones wait
// behind a pill while somebody works in the list.
const EVERY_MS = 2000;
const MOST_ROWS = 300;
const waiting = new Map();
let isPaused = false;
let isAsking = false;
let lastAsked = 0;
let failures = 0;

const live = () => document.getElementById("live");
const pill = () => document.getElementById("new-pill");
const table = () => document.getElementById("rows");

function isDue() {
  const pause = Math.min(EVERY_MS * 2 ** failures, 30000);
  return live() && !isPaused && !isAsking && !document.hidden && Date.now() - lastAsked >= pause;
}

function ask() {
  isAsking = true;
  lastAsked = Date.now();
  htmx.trigger(live(), "poll");
}

setInterval(() => { if (isDue()) ask(); }, 250);

document.addEventListener("casesChanged", () => {
  failures = 0;
  lastAsked = 0;
});

document.addEventListener("htmx:configRequest", (event) => {
  if (event.detail.elt.id !== "live") return;
  event.detail.parameters.seen = event.detail.elt.dataset.seen;
  event.detail.parameters.columns = document.getElementById("queue-table")?.dataset.columns ?? "";
});

document.addEventListener("htmx:afterRequest", (event) => {
  const { elt, xhr } = event.detail;
  if (elt.id !== "live") return;
  isAsking = false;
  // A filter was chosen meanwhile: this answer belongs to a list that is gone.
  if (elt !== live()) return;
  const seen = xhr.getResponseHeader("X-Queue-Seen");
  if (!seen) {
    fail(xhr);
    return;
  }
  failures = 0;
  elt.dataset.seen = seen;
  showState(`Live · ${new Date().toLocaleTimeString([], { hour12: false })}`);
  if (xhr.status === 200) take(xhr.responseText);
});

function fail(xhr) {
  if (xhr.status === 400 || (xhr.responseURL && new URL(xhr.responseURL).pathname === "/account/login/")) {
    location.reload();
    return;
  }
  failures += 1;
  showState("No connection");
}

function showState(text) {
  const button = document.querySelector("[data-live-switch]");
  if (!button) return;
  button.hidden = false;
  button.querySelector("[data-live-text]").textContent = isPaused ? "Paused" : text;
  button.setAttribute("aria-pressed", String(!isPaused));
  button.classList.toggle("is-failing", failures > 0);
}

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-live-switch]")) {
    isPaused = !isPaused;
    lastAsked = 0;
    showState("Live");
  }
  if (event.target.closest("#new-pill")) showWaiting(true);
});

// --- what came ---------------------------------------------------------------------
function take(html) {
  const answer = new DOMParser().parseFromString(html, "text/html");
  for (const row of answer.querySelectorAll("tr[data-case]")) {
    const fresh = document.importNode(row, true);
    const there = document.getElementById(fresh.id);
    if (there) patch(there, fresh);
    else if (fresh.dataset.match === "yes" && live().dataset.isFirst === "yes") waiting.set(fresh.id, fresh);
  }
  for (const part of answer.querySelectorAll("[data-replace]")) {
    const place = document.getElementById(part.dataset.replace);
    if (!place) continue;
    place.replaceChildren(...[...part.childNodes].map((node) => document.importNode(node, true)));
    htmx.process(place);
  }
  if (answer.querySelector("[data-cut=yes]")) waiting.set("cut", null);
  renewTallies();
  if (waiting.size) showWaiting(false);
  document.dispatchEvent(new CustomEvent("csc:rows"));
}

// Counts beside filters and on tabs follow at leisure.
let talliesDue = 0;

function renewTallies() {
  if (talliesDue) return;
  talliesDue = setTimeout(() => {
    talliesDue = 0;
    const tallies = document.getElementById("tallies");
    if (tallies && !document.hidden) htmx.trigger(tallies, "renew");
  }, 5000);
}

function patch(there, fresh) {
  if (there.dataset.seen === fresh.dataset.seen && there.innerHTML === fresh.innerHTML) return;
  const wasChecked = there.querySelector("input[name=case]")?.checked;
  const focused = there.contains(document.activeElement) ? document.activeElement.className : "";
  there.replaceWith(fresh);
  const box = fresh.querySelector("input[name=case]");
  if (box && wasChecked) box.checked = true;
  if (focused) fresh.querySelector(`[class="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  fresh.classList.add("is-fresh");
}

function isBusy() {
  return (
    window.scrollY > 60 ||
    document.body.classList.contains("has-flyout") ||
    document.querySelector("#rows input:checked, dialog[open], details[data-menu][open]") ||
    document.activeElement?.closest?.("#rows")
  );
}

function showWaiting(isWanted) {
  const button = pill();
  // In another order than by time only the server knows where a new row belongs.
  const isPlain = live()?.dataset.isNewest === "yes";
  if (!isWanted && (!isPlain || isBusy())) {
    const count = [...waiting.keys()].filter((key) => key !== "cut").length;
    button.textContent = waiting.has("cut") ? "Many new cases: show" : `${count} new`;
    button.hidden = false;
    return;
  }
  button.hidden = true;
  if (!table() || !isPlain || waiting.has("cut")) {
    waiting.clear();
    htmx.ajax("GET", location.pathname + location.search, { target: "#queue", swap: "innerHTML" });
    return;
  }
  insert();
  if (isWanted) window.scrollTo({ top: 0 });
}

function insert() {
  const rows = table();
  for (const fresh of [...waiting.values()].sort((one, other) => one.dataset.at - other.dataset.at)) {
    const after = [...rows.children].find((row) => Number(row.dataset.at) <= Number(fresh.dataset.at));
    fresh.classList.add("is-fresh");
    rows.insertBefore(fresh, after ?? null);
  }
  waiting.clear();
  while (rows.children.length > MOST_ROWS) rows.lastElementChild.remove();
  document.dispatchEvent(new CustomEvent("csc:rows"));
}

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id !== "queue") return;
  waiting.clear();
  isAsking = false;
  showState("Live");
});

showState("Live");
