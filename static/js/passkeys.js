// Forms that a passkey fills: data-passkey is "add" (make one) or "ask" (prove by one). The answer
// goes back in the form's own field, by an ordinary post.

const bytes = (text) => {
  const plain = text.replace(/-/g, "+").replace(/_/g, "/");
  return Uint8Array.from(atob(plain), (letter) => letter.charCodeAt(0));
};

const text = (buffer) => {
  const plain = btoa(String.fromCharCode(...new Uint8Array(buffer)));
  return plain.replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
};

const known = (list) => (list || []).map((one) => ({ ...one, id: bytes(one.id) }));

async function added(options) {
  const publicKey = {
    ...options,
    challenge: bytes(options.challenge),
    user: { ...options.user, id: bytes(options.user.id) },
    excludeCredentials: known(options.excludeCredentials),
  };
  const made = await navigator.credentials.create({ publicKey });
  const response = {
    clientDataJSON: text(made.response.clientDataJSON),
    attestationObject: text(made.response.attestationObject),
    transports: made.response.getTransports?.() || [],
  };
  return { id: made.id, rawId: text(made.rawId), type: made.type, response };
}

async function asked(options) {
  const publicKey = {
    ...options,
    challenge: bytes(options.challenge),
    allowCredentials: known(options.allowCredentials),
  };
  const given = await navigator.credentials.get({ publicKey });
  const response = {
    clientDataJSON: text(given.response.clientDataJSON),
    authenticatorData: text(given.response.authenticatorData),
    signature: text(given.response.signature),
    userHandle: given.response.userHandle ? text(given.response.userHandle) : null,
  };
  return { id: given.id, rawId: text(given.rawId), type: given.type, response };
}

function told(error) {
  if (error.name === "InvalidStateError") return "This device has a passkey for you already.";
  if (error.name === "SecurityError") {
    return "Passkeys need a host name: open the portal by its name, not by a number.";
  }
  return "No passkey was used. Try again.";
}

async function fill(form) {
  const token = form.querySelector("[name=csrfmiddlewaretoken]").value;
  const headers = { "X-CSRFToken": token, Accept: "application/json" };
  const found = await fetch(form.dataset.options, { method: "POST", headers });
  if (found.status === 403 && form.dataset.again) {
    location.assign(form.dataset.again);
    return;
  }
  if (!found.ok) throw new Error("refused");
  const make = form.dataset.passkey === "add" ? added : asked;
  form.elements.answer.value = JSON.stringify(await make(await found.json()));
  form.submit();
}

document.addEventListener("submit", (event) => {
  const form = event.target.closest("[data-passkey]");
  if (!form) return;
  event.preventDefault();
  const line = form.querySelector(".passkey-error");
  line.hidden = true;
  if (!window.PublicKeyCredential) {
    line.textContent = "This browser has no passkeys here: they need https:// and a host name.";
    line.hidden = false;
    return;
  }
  fill(form).catch((error) => {
    line.textContent = told(error);
    line.hidden = false;
  });
});
