// The queue under the hands: a cursor that belongs to a case, a selection, a case beside the list.
const page = document.getElementById("queue");
const flyout = document.getElementById("flyout");
const bulkDialog = document.getElementById("bulk-dialog");
const askDialog = document.getElementById("bulk-ask");
let cursor = ""; // public id of a case, not a position
let openCase = "";
let lastChecked = "";
let isAll = false; // the selection means all that match, not only the boxes on the page

const say = (text) => document.dispatchEvent(new CustomEvent("csc:say", { detail: text }));
const rows = () => [...document.querySelectorAll("#rows > tr")];
const rowOf = (id) => (id ? document.getElementById(`case-${id}`) : null);
const addressOf = (row) => row?.querySelector(".case-title").getAttribute("href");
const boxes = () => [...document.querySelectorAll("#rows input[name=case]")];
const selected = () => boxes().filter((box) => box.checked);

function isKeyForUs(event) {
  const target = event.target instanceof Element ? event.target : document.body;
  const isTyping = target.closest("input:not([type=checkbox]), textarea, select");
  const held = event.ctrlKey || event.metaKey || event.altKey;
  return document.body.dataset.singleKeys === "on" && !isTyping && !held && !document.querySelector("dialog[open]");
}

// --- filters on a narrow screen ------------------------------------------------------
let showsFacets = false;

function showFacets() {
  document.getElementById("facets-body")?.classList.toggle("is-shown", showsFacets);
  document.querySelector("[data-show-facets]")?.setAttribute("aria-expanded", String(showsFacets));
}

page.addEventListener("click", (event) => {
  if (!event.target.closest("[data-show-facets]")) return;
  showsFacets = !showsFacets;
  showFacets();
});

// --- cursor --------------------------------------------------------------------
function setCursor(row, takeFocus = true) {
  rowOf(cursor)?.classList.remove("is-cursor");
  cursor = row ? row.dataset.case : "";
  if (!row) return;
  row.classList.add("is-cursor");
  row.scrollIntoView({ block: "nearest" });
  if (takeFocus) row.querySelector(".case-title").focus({ preventScroll: true });
}

function move(step) {
  const all = rows();
  if (!all.length) return;
  const here = all.indexOf(rowOf(cursor));
  const next = here < 0 ? (step > 0 ? 0 : all.length - 1) : here + step;
  if (next >= 0 && next < all.length) setCursor(all[next], !openCase);
}

// --- selection -------------------------------------------------------------------
function showSelection() {
  const bar = document.getElementById("bulk");
  if (!bar) return;
  const all = boxes();
  const count = selected().length;
  if (count < all.length) isAll = false;
  bar.hidden = count === 0;
  bar.querySelector("[data-all]").value = isAll ? "yes" : "";
  const matching = bar.querySelector("[data-select-matching]");
  bar.querySelector("[data-selected]").textContent = isAll ? matching.dataset.count : String(count);
  matching.hidden = isAll || count < all.length || !document.querySelector(".pager a");
  for (const box of all) box.closest("tr").classList.toggle("is-selected", box.checked);
}

// 'Select all that match': how many that is, is asked when it is wanted, and told before it counts.
async function selectMatching(button) {
  button.disabled = true;
  try {
    const answer = await fetch(button.dataset.url, { headers: { Accept: "application/json" } });
    if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
    const { count, is_cut: isCut } = await answer.json();
    button.dataset.count = isCut ? `The first ${count}` : `All ${count}`;
    isAll = true;
  } catch {
    say("The server could not count them. Try again.");
  }
  button.disabled = false;
  showSelection();
}

function select(box, isOn) {
  if (!box) return;
  box.checked = isOn;
  lastChecked = box.closest("tr").dataset.case;
  showSelection();
}

function clearSelection() {
  isAll = false;
  for (const box of boxes()) box.checked = false;
  showSelection();
}

page.addEventListener("click", (event) => {
  const box = event.target.closest("input[name=case]");
  if (!box) return;
  if (event.shiftKey && lastChecked && rowOf(lastChecked)) {
    const all = boxes();
    const ends = [all.indexOf(box), all.indexOf(rowOf(lastChecked).querySelector("input[name=case]"))];
    for (const other of all.slice(Math.min(...ends), Math.max(...ends) + 1)) other.checked = box.checked;
  }
  lastChecked = box.closest("tr").dataset.case;
  showSelection();
});

page.addEventListener("click", (event) => {
  if (event.target.closest("[data-clear-selection]")) clearSelection();
  const matching = event.target.closest("[data-select-matching]");
  if (matching) selectMatching(matching);
  const asking = event.target.closest("[data-ask]");
  if (asking) ask(asking.dataset.ask);
  const plain = event.target.closest("[data-plain]");
  if (plain) {
    event.preventDefault();
    download(plain);
  }
});

// --- the case beside the list ---------------------------------------------------------
function open(row) {
  if (!row) return;
  setCursor(row, false);
  openCase = row.dataset.case;
  flyout.hidden = false;
  document.body.classList.add("has-flyout");
  for (const other of rows()) other.classList.toggle("is-open", other === row);
  htmx.ajax("GET", addressOf(row), { target: "#flyout", swap: "innerHTML" });
}

function close() {
  if (!openCase) return;
  flyout.hidden = true;
  flyout.replaceChildren();
  document.body.classList.remove("has-flyout");
  const row = rowOf(openCase);
  openCase = "";
  row?.classList.remove("is-open");
  if (row) setCursor(row);
}

function step(by) {
  const all = rows();
  const next = all.indexOf(rowOf(openCase)) + by;
  if (next >= 0 && next < all.length) open(all[next]);
}

flyout.addEventListener("click", (event) => {
  if (event.target.closest("[data-flyout-close]")) close();
  if (event.target.closest("[data-flyout-next]")) step(1);
  if (event.target.closest("[data-flyout-previous]")) step(-1);
});

// An answer that comes late must not show a case that is no longer the one that is open.
flyout.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target !== flyout) return;
  const wanted = addressOf(rowOf(openCase));
  if (!wanted || !event.detail.xhr.responseURL.endsWith(wanted)) event.detail.shouldSwap = false;
});

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target === flyout) {
    flyout.setAttribute("tabindex", "-1");
    flyout.focus({ preventScroll: true });
    flyout.scrollTop = 0;
  }
  if (event.detail.target === page) {
    showFacets();
    lastChecked = "";
    isAll = false;
    rowOf(cursor)?.classList.add("is-cursor");
    rowOf(openCase)?.classList.add("is-open");
  }
});

page.addEventListener("click", (event) => {
  const row = event.target.closest("#rows > tr");
  if (!row || event.target.closest("a, button, input, label, .col-check")) return;
  if (window.getSelection()?.toString()) return;
  open(row);
});

// --- actions ---------------------------------------------------------------------
// On the selected cases; else on the one that is open, or under the cursor.
function pick() {
  if (!selected().length) select(rowOf(openCase || cursor)?.querySelector("input[name=case]"), true);
  return selected().length > 0;
}

function act(action) {
  if (pick()) document.querySelector(`#bulk button[value="${action}"]`)?.click();
}

async function ask(action) {
  const button = document.querySelector(`#bulk [data-ask="${action}"]`);
  if (!button || !pick()) return;
  for (const menu of document.querySelectorAll("#bulk details[open]")) menu.open = false;
  const url = new URL(document.getElementById("bulk").dataset.askUrl, location.href);
  url.searchParams.append("do", action);
  await htmx.ajax("GET", url.pathname + url.search, { target: "#bulk-ask", swap: "innerHTML" });
  const place = askDialog.querySelector("[data-ask-count]");
  if (!place || askDialog.open) return;
  const count = document.querySelector("#bulk [data-selected]").textContent;
  place.textContent = count === "1" ? "1 case" : `${count} cases`;
  askDialog.showModal();
  const first = ["input[type=radio]:checked", "input:not([type=hidden]), select, textarea", ".btn-primary"];
  first.map((fields) => askDialog.querySelector(fields)).find(Boolean)?.focus();
}

// Parts of the dialog that belong to one answer: hidden ones are not sent.
askDialog.addEventListener("change", (event) => {
  if (!event.target.dataset.opens) return;
  for (const part of askDialog.querySelectorAll("[data-opened]")) {
    const isOn = part.dataset.opened === event.target.dataset.opens;
    part.hidden = !isOn;
    for (const field of part.querySelectorAll("select, input, textarea")) field.disabled = !isOn;
  }
});

askDialog.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) askDialog.querySelector("form")?.requestSubmit();
});

askDialog.addEventListener("close", () => {
  askDialog.replaceChildren();
  rowOf(cursor)?.querySelector(".case-title")?.focus({ preventScroll: true });
});

// A file is no page: the form goes there by itself, without htmx.
function download(button) {
  const bar = document.getElementById("bulk");
  if (isAll) {
    location.assign(`${button.formAction}?${bar.querySelector("[name=query]").value}`);
    return;
  }
  const before = bar.action;
  bar.action = button.formAction;
  bar.submit();
  bar.action = before;
}

// The case beside the list has buttons of its own for some keys.
function inFlyout(key) {
  const button = openCase ? flyout.querySelector(`[data-key="${key}"]`) : null;
  button?.click();
  return button;
}

function askFor(key, action) {
  const button = selected().length ? null : inFlyout(key);
  if (button) button.closest("details")?.querySelector("input, select, textarea")?.focus();
  else ask(action);
}

document.addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.target.id !== "bulk-result") return;
  const told = event.detail.target.querySelector("[data-bulk-done]");
  if (!told) return;
  const { bulkDone: done, bulkFailed: failed, bulkProblem: problem } = told.dataset;
  // A comment that did not arrive everywhere stays: sent again, it comes nowhere twice.
  const keepsText = failed !== "0" && askDialog.querySelector("textarea");
  if (!problem && !keepsText) {
    askDialog.close();
    clearSelection();
  }
  if (problem || failed !== "0") {
    if (!bulkDialog.open) bulkDialog.showModal();
  } else {
    bulkDialog.close();
    say(`${done} ${done === "1" ? "case" : "cases"} changed.`);
  }
});

// --- columns ----------------------------------------------------------------------
page.addEventListener("click", (event) => {
  const button = event.target.closest("[data-move]");
  if (!button) return;
  const item = button.closest("li");
  const other = button.dataset.move === "1" ? item.nextElementSibling : item.previousElementSibling;
  if (!other) return;
  if (button.dataset.move === "1") other.after(item);
  else other.before(item);
  button.focus();
});

// --- keys -------------------------------------------------------------------------
const KEYS = {
  j: () => move(1),
  k: () => move(-1),
  o: () => open(rowOf(cursor)),
  n: () => (openCase ? step(1) : undefined),
  p: () => (openCase ? step(-1) : undefined),
  x: () => {
    const box = rowOf(cursor)?.querySelector("input[name=case]");
    select(box, !box?.checked);
  },
  X: () => {
    const isOn = selected().length < boxes().length;
    for (const box of boxes()) box.checked = isOn;
    showSelection();
  },
  a: () => (!selected().length && inFlyout("a")) || act("assign"),
  r: () => askFor("r", "resolve"),
  v: () => askFor("v", "judge"),
  s: () => askFor("s", "snooze"),
  c: () => askFor("c", "comment"),
  t: () => askFor("t", "ticket"),
  "/": () => document.getElementById("title-text")?.focus(),
};

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !document.querySelector("dialog[open]")) {
    if (event.target.closest?.("#title-text")) event.target.blur();
    // Out of a field first: what was typed there is not lost by one key.
    else if (openCase && event.target.matches?.("#flyout :is(input, select, textarea)")) flyout.focus({ preventScroll: true });
    else if (openCase) close();
    else clearSelection();
    return;
  }
  if (!isKeyForUs(event) || event.defaultPrevented) return;
  // Focus is lost when what had it is replaced; the cursor is not.
  const isFree = event.target === document.body || event.target.id === "main" || event.target === flyout;
  const inRows = event.target.closest?.("#rows") || isFree;
  if (event.key === "Enter" && inRows && rowOf(cursor) && !event.target.closest(".ticket, .col-check")) {
    event.preventDefault();
    open(rowOf(cursor));
    return;
  }
  if (inRows && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
    event.preventDefault();
    move(event.key === "ArrowDown" ? 1 : -1);
    return;
  }
  const action = KEYS[event.key];
  if (!action) return;
  event.preventDefault();
  action();
});

// The cursor follows the focus, so that Tab and j/k agree.
page.addEventListener("focusin", (event) => {
  const row = event.target.closest("#rows > tr");
  if (row && row.dataset.case !== cursor) setCursor(row, false);
});

// live.js replaces rows; their state comes back here.
document.addEventListener("csc:rows", () => {
  rowOf(cursor)?.classList.add("is-cursor");
  rowOf(openCase)?.classList.add("is-open");
  showSelection();
});
