// What every page has: menus, search, keys that go to pages, times that stay right.
const body = document.body;
const palette = document.getElementById("palette");
const keys = document.getElementById("keys");
const toast = document.getElementById("toast");
let goPending = false;
let toastTimer = 0;

function isTyping(target) {
  return target instanceof Element && target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]");
}

function isSingleKey(event) {
  const held = event.ctrlKey || event.metaKey || event.altKey;
  const dead = isTyping(event.target) || document.querySelector("dialog[open]");
  return body.dataset.singleKeys === "on" && !held && !dead && !event.defaultPrevented;
}

function say(text) {
  toast.textContent = text;
  toast.classList.add("is-shown");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => toast.classList.remove("is-shown"), 4000);
}

document.addEventListener("csc:say", (event) => say(event.detail));

// --- menus -------------------------------------------------------------------
function closeMenus(except) {
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    if (!except || !menu.contains(except)) menu.open = false;
  }
}

document.addEventListener("click", (event) => closeMenus(event.target));

document.addEventListener("submit", (event) => {
  for (const field of event.target.querySelectorAll("[data-address]")) {
    field.value = location.pathname + location.search;
  }
}, true);

// On a narrow screen the place that one is at may lie outside.
const bars = ":is(.rail, .page-tabs, .access-tabs, .tabs)";
for (const tab of document.querySelectorAll(`${bars} [aria-current]`)) {
  tab.scrollIntoView({ block: "nearest", inline: "nearest" });
}

// --- search ------------------------------------------------------------------
function openPalette() {
  if (palette.open) return;
  closeMenus();
  palette.showModal();
  palette.querySelector("input[type=search]").focus();
}

const results = document.getElementById("palette-results");
const atFirst = results ? [...results.children] : [];

palette?.addEventListener("close", () => {
  // What was typed may be somebody's name: it does not stay in the page.
  palette.querySelector("form").reset();
  results.replaceChildren(...atFirst);
});

palette?.addEventListener("keydown", (event) => {
  if (event.key === "Escape") palette.close(); // a search field would only empty itself
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  const links = [...palette.querySelectorAll(".result-links a")];
  if (!links.length) return;
  event.preventDefault();
  const step = event.key === "ArrowDown" ? 1 : -1;
  const next = links.indexOf(document.activeElement) + step;
  if (next < 0) palette.querySelector("input[type=search]").focus();
  else links[Math.min(next, links.length - 1)].focus();
});

// --- clicks ------------------------------------------------------------------
document.addEventListener("click", (event) => {
  const target = event.target instanceof Element ? event.target : null;
  if (!target) return;
  if (target.closest("[data-open-palette]")) openPalette();
  if (target.closest("[data-open-keys]")) keys.showModal();
  target.closest("[data-close-dialog]")?.closest("dialog")?.close();
  if (target instanceof HTMLDialogElement) target.close(); // the backdrop
  if (target.closest("[data-copy-link]")) copyLink();
});

async function copyLink() {
  closeMenus();
  try {
    await navigator.clipboard.writeText(location.href);
    say("Link copied.");
  } catch {
    say("The browser did not allow copying. The address bar has the link.");
  }
}

// --- details that load when they are opened -------------------------------------
document.addEventListener("toggle", (event) => {
  const item = event.target;
  if (!(item instanceof HTMLDetailsElement) || !item.open || !item.dataset.load) return;
  const url = item.dataset.load;
  delete item.dataset.load;
  htmx.ajax("GET", url, { target: item.querySelector("[data-load-here]"), swap: "innerHTML" });
}, true);

// --- keys --------------------------------------------------------------------
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    openPalette();
    return;
  }
  if (event.key === "Escape") closeMenus();
  if (!isSingleKey(event)) return;
  if (goPending) {
    goPending = false;
    const link = document.querySelector(`[data-go="${CSS.escape(event.key)}"]`);
    if (link) {
      event.preventDefault();
      link.click();
    }
    return;
  }
  if (event.key === "g") {
    goPending = true;
    setTimeout(() => { goPending = false; }, 1500);
  } else if (event.key === "?") {
    event.preventDefault();
    keys.showModal();
  }
});

// --- times -------------------------------------------------------------------
const STEPS = [[172800, 86400, "d"], [3600, 3600, "h"], [60, 60, "min"], [1, 1, "s"]];

function ago(seconds) {
  for (const [least, unit, sign] of STEPS) {
    if (seconds >= least) return `${Math.floor(seconds / unit)} ${sign}`;
  }
  return "now";
}

// Time left to a target, as templatetags/queue.py writes it first.
const LEFT_STEPS = [[172800, 86400, "d"], [7200, 3600, "h"], [0, 60, "min"]];

function renewDue(time, now) {
  const left = (Date.parse(time.dateTime) - now) / 1000;
  const [, unit, sign] = LEFT_STEPS.find(([least]) => Math.abs(left) >= least);
  const text = `${Math.floor(Math.abs(left) / unit)} ${sign} ${left < 0 ? "over" : "left"}`;
  if (time.textContent !== text) time.textContent = text;
  const state = left < 0 ? "breached" : left < 3600 ? "soon" : "fine";
  time.className = `sla sla-${state}`;
}

function renewTimes() {
  const now = Date.now();
  for (const time of document.querySelectorAll("time[data-due]")) renewDue(time, now);
  for (const time of document.querySelectorAll("time[datetime]:not([data-due])")) {
    const short = ago((now - Date.parse(time.dateTime)) / 1000);
    const text = "ago" in time.dataset && short !== "now" ? `${short} ago` : short;
    if (time.textContent !== text) time.textContent = text;
  }
}

setInterval(() => { if (!document.hidden) renewTimes(); }, 10000);

// --- the tour ----------------------------------------------------------------------
const tour = document.querySelector("[data-tour]");

function showStep(index) {
  const steps = [...tour.querySelectorAll("li")];
  for (const [place, step] of steps.entries()) step.hidden = place !== index;
  for (const spot of document.querySelectorAll(".is-spot")) spot.classList.remove("is-spot");
  document.querySelector(steps[index].dataset.spot)?.classList.add("is-spot");
  tour.dataset.step = String(index);
  tour.querySelector("[data-tour-place]").textContent = `${index + 1} of ${steps.length}`;
  tour.querySelector("[data-tour-next]").textContent = index === steps.length - 1 ? "Done" : "Next";
}

function leaveTour() {
  for (const spot of document.querySelectorAll(".is-spot")) spot.classList.remove("is-spot");
  tour.remove();
}

if (tour && document.getElementById("queue")) {
  tour.hidden = false;
  showStep(0);
  tour.querySelector("[data-tour-next]").addEventListener("click", () => {
    const next = Number(tour.dataset.step) + 1;
    if (next < tour.querySelectorAll("li").length) showStep(next);
    else tour.querySelector("[data-tour-leave]").click();
  });
  tour.addEventListener("htmx:afterRequest", leaveTour);
}

// --- a session that has ended -----------------------------------------------------
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr } = event.detail;
  if (xhr.responseURL && new URL(xhr.responseURL).pathname === "/account/login/") {
    event.detail.shouldSwap = false;
    location.reload();
  }
});

document.addEventListener("htmx:responseError", (event) => {
  if (event.detail.elt.id === "live") return;
  const text = { 403: "Your session has changed. Reload the page.", 404: "This is gone, or was merged into another case." };
  say(text[event.detail.xhr.status] || "The server could not do that. Try again.");
});

document.addEventListener("htmx:sendError", (event) => {
  if (event.detail.elt.id !== "live") say("The server can't be reached.");
});

