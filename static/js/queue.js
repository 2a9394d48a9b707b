// The queue under the hands: a cursor that belongs to a case, a selection, a case beside the list.
const page = document.getElementById("queue");
const flyout = document.getElementById("flyout");
const bulkDialog = document.getElementById("bulk-dialog");
let cursor = ""; // public id of a case, not a position
let openCase = "";
let lastChecked = "";

const say = (text) => document.dispatchEvent(new CustomEvent("csc:say", { detail: text }));
const rows = () => [...document.querySelectorAll("#rows > tr")];
const rowOf = (id) => (id ? document.getElementById(`case-${id}`) : null);
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
  const count = selected().length;
  bar.hidden = count === 0;
  bar.querySelector("[data-selected]").textContent = String(count);
  for (const box of boxes()) box.closest("tr").classList.toggle("is-selected", box.checked);
}

function select(box, isOn) {
  if (!box) return;
  box.checked = isOn;
  lastChecked = box.closest("tr").dataset.case;
  showSelection();
}

function clearSelection() {
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
});

// --- the case beside the list ---------------------------------------------------------
function open(row) {
  if (!row) return;
  setCursor(row, false);
  openCase = row.dataset.case;
  flyout.hidden = false;
  document.body.classList.add("has-flyout");
  for (const other of rows()) other.classList.toggle("is-open", other === row);
  htmx.ajax("GET", row.dataset.url, { target: "#flyout", swap: "innerHTML" });
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
  const wanted = rowOf(openCase)?.dataset.url;
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
function act(action) {
  const bar = document.getElementById("bulk");
  if (!bar) return;
  if (!selected().length) select(rowOf(cursor)?.querySelector("input[name=case]"), true);
  if (!selected().length) return;
  bar.querySelector(`button[value="${action}"]`).click();
}

function resolve() {
  if (openCase) {
    flyout.querySelector("[data-key=r]")?.click();
    flyout.querySelector("input[name=verdict]")?.focus();
    return;
  }
  if (!selected().length) select(rowOf(cursor)?.querySelector("input[name=case]"), true);
  document.getElementById("bulk-verdict")?.focus();
}

document.addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.target.id !== "bulk-result") return;
  const told = event.detail.target.querySelector("[data-bulk-done]");
  if (!told) return;
  const { bulkDone: done, bulkFailed: failed, bulkProblem: problem } = told.dataset;
  if (problem || failed !== "0") bulkDialog.showModal();
  else say(`${done} ${done === "1" ? "case" : "cases"} changed.`);
  if (!problem) clearSelection();
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
  a: () => (openCase ? flyout.querySelector("[data-key=a]")?.click() : act("assign")),
  r: resolve,
  "/": () => document.getElementById("title-text")?.focus(),
};

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !document.querySelector("dialog[open]")) {
    if (event.target.closest?.("#title-text")) event.target.blur();
    else if (openCase) close();
    else clearSelection();
    return;
  }
  if (!isKeyForUs(event) || event.defaultPrevented) return;
  const inRows = event.target.closest?.("#rows");
  if (event.key === "Enter" && inRows && cursor && !event.target.closest(".ticket, .col-check")) {
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
