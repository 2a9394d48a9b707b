// 'Show names': asked for what is on the screen, put beside the pseudonyms, kept nowhere.
const AT_ONCE = 50;
const names = new Map(); // pseudonym -> name, for as long as this page is open
const asked = new Set();
let isOn = button()?.getAttribute("aria-pressed") === "true";

function button() {
  return document.querySelector("[data-names-toggle]");
}

async function post(url, fields) {
  const headers = { ...JSON.parse(document.body.getAttribute("hx-headers")), Accept: "application/json" };
  const answer = await fetch(url, { method: "POST", body: new URLSearchParams(fields), headers, cache: "no-store" });
  if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
  return answer.json();
}

function show() {
  for (const place of document.querySelectorAll("[data-pseudonym]")) {
    place.dataset.label ??= place.textContent;
    const name = isOn ? names.get(place.dataset.pseudonym) : undefined;
    const text = name ?? place.dataset.label;
    if (place.textContent !== text) place.textContent = text;
    place.title = name ? `${name} · ${place.dataset.label}` : "";
    place.classList.toggle("is-named", name !== undefined);
  }
}

// What the page shows and has not asked for yet: lists of form fields.
function wanted() {
  const requests = [];
  const single = document.querySelector("[data-case-page]");
  if (single && !asked.has(`case ${single.dataset.casePage}`)) {
    asked.add(`case ${single.dataset.casePage}`);
    requests.push([["case", single.dataset.casePage], ["whole", "yes"]]);
  }
  const entity = document.querySelector("[data-entity-page]");
  if (entity && !asked.has(entity.dataset.entityPage)) {
    asked.add(entity.dataset.entityPage);
    requests.push([["entity", entity.dataset.entityPage]]);
  }
  const rows = [...document.querySelectorAll("#rows > tr")].map((row) => row.dataset.case);
  const fresh = rows.filter((id) => !asked.has(id));
  for (const id of fresh) asked.add(id);
  for (let start = 0; start < fresh.length; start += AT_ONCE) {
    requests.push(fresh.slice(start, start + AT_ONCE).map((id) => ["case", id]));
  }
  return requests;
}

async function load() {
  if (!isOn) return;
  for (const fields of wanted()) {
    try {
      const answer = await post("/names/", fields);
      for (const [pseudonym, name] of Object.entries(answer.names)) names.set(pseudonym, name);
      tellProblems(answer.problems);
    } catch {
      tellProblems(Object.fromEntries(fields.map(([, id]) => [id, "Names could not be read."])));
    }
    show();
  }
}

function tellProblems(problems) {
  for (const [id, text] of Object.entries(problems)) {
    const row = document.getElementById(`case-${id}`);
    const page = document.querySelector(`[data-case-page="${CSS.escape(id)}"], [data-entity-page="${CSS.escape(id)}"]`);
    for (const place of [row, page]) {
      const line = place?.querySelector("[data-names-problem]");
      if (!line) continue;
      line.textContent = text;
      line.title = text;
    }
  }
}

document.addEventListener("click", async (event) => {
  const pressed = event.target.closest("[data-names-toggle]");
  if (!pressed) return;
  isOn = !isOn;
  asked.clear();
  if (!isOn) names.clear();
  for (const one of document.querySelectorAll("[data-names-toggle]")) label(one);
  show();
  try {
    await post(pressed.dataset.url, [["on", isOn ? "yes" : "no"]]);
    await load();
  } catch {
    document.dispatchEvent(new CustomEvent("csc:say", { detail: "Your session has changed. Reload the page." }));
  }
});

function label(one) {
  one.setAttribute("aria-pressed", String(isOn));
  one.querySelector("span").textContent = isOn ? "Hide names" : "Show names";
}

function renew() {
  for (const one of document.querySelectorAll("[data-names-toggle]")) label(one);
  show();
  load();
}

document.addEventListener("htmx:afterSwap", renew);
document.addEventListener("csc:rows", renew);
load();
