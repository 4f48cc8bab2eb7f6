// Everything works without this script; it saves key presses and keeps what is typed.
"use strict";

const DRAFT = "promptstore draft ";

function fieldsOf(form) {
  return [...form.elements].filter(
    (field) =>
      field.name &&
      (field.dataset.kept !== undefined ||
        !["hidden", "submit", "button", "password", "fieldset"].includes(field.type))
  );
}

function valuesOf(form) {
  return Object.fromEntries(
    fieldsOf(form).map((field, index) => [
      `${index} ${field.name}`,
      ["checkbox", "radio"].includes(field.type) ? field.checked : field.value,
    ])
  );
}

function restore(form, values) {
  fieldsOf(form).forEach((field, index) => {
    const value = values[`${index} ${field.name}`];
    if (value === undefined) return;
    if (["checkbox", "radio"].includes(field.type)) field.checked = value;
    else field.value = value;
  });
}

// A draft lives as long as the tab. The server's own answer with typed fields goes first.
function keepDraft(form) {
  const key = DRAFT + form.dataset.draft;
  const kept = sessionStorage.getItem(key);
  const notice = form.querySelector("[data-draft-notice]");
  if (kept && form.dataset.typed === undefined) {
    restore(form, JSON.parse(kept));
    if (notice) notice.hidden = false;
  }
  notice?.querySelector("button")?.addEventListener("click", () => {
    sessionStorage.removeItem(key);
    location.reload();
  });
  form.addEventListener("input", () => {
    try {
      sessionStorage.setItem(key, JSON.stringify(valuesOf(form)));
    } catch {
      // It is too large to keep: the page says nothing of drafts then.
    }
  });
}

// What the server would refuse for its size is not sent: the answer would not hold what was typed.
function tooLarge(body) {
  const most = Number(document.body.dataset.mostBytes);
  // A browser ends each line of what a form sends with two characters.
  const size = body.toString().replaceAll("%0A", "%0D%0A").length;
  const mebibytes = (bytes) => (bytes / 1048576).toFixed(1);
  return size <= most
    ? ""
    : `This is too large to send: ${mebibytes(size)} MiB as a form, of at most ` +
        `${mebibytes(most)}. Nothing is lost: shorten it, and send it again.`;
}

function keepIfTooLarge(event) {
  const form = event.target;
  form.querySelector("[data-too-large]")?.remove();
  const text = form.method === "post" ? tooLarge(new URLSearchParams(new FormData(form))) : "";
  if (!text) return;
  event.preventDefault();
  const note = document.createElement("p");
  note.className = "note bad";
  note.dataset.tooLarge = "";
  note.tabIndex = -1;
  note.setAttribute("role", "alert");
  note.textContent = text;
  form.prepend(note);
  note.focus();
}

// The answer for what is typed so far is drawn by the server, in the place that shows it.
function followTyping(form) {
  const place = document.getElementById(form.dataset.live);
  // A screen reader is told in a few words, not the whole text at every key.
  const status = document.createElement("p");
  status.className = "hidden";
  status.setAttribute("role", "status");
  form.append(status);
  let timer = 0;
  let asked = null;
  const tell = (text) => {
    const note = document.createElement("p");
    note.className = "note bad";
    note.textContent = text;
    place.replaceChildren(note);
    status.textContent = text;
  };
  const ask = async () => {
    asked?.abort();
    asked = new AbortController();
    place.classList.add("busy");
    const body = new URLSearchParams(new FormData(form));
    body.set("action", "show");
    const refused = tooLarge(body);
    if (refused) {
      tell(refused);
      place.classList.remove("busy");
      return;
    }
    try {
      const answer = await fetch(form.getAttribute("action"), {
        method: "POST",
        body,
        signal: asked.signal,
      });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById(form.dataset.live);
      if (answer.ok && fresh) {
        place.replaceChildren(...fresh.childNodes);
        addCopyButtons(place);
        status.textContent = place.querySelector("[data-status]")?.textContent || "";
      } else {
        tell(
          answer.status === 401
            ? "You are signed out. What you typed stays here; sign in when you send it."
            : page.querySelector(".note.bad")?.textContent || "The server did not answer as it should."
        );
      }
    } catch (error) {
      if (error.name === "AbortError") return;
      tell("The server cannot be reached. What you typed stays here.");
    }
    place.classList.remove("busy");
  };
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, 250);
  });
  if (form.querySelector("[data-draft-notice]:not([hidden])")) ask();
}

function addCopyButtons(root) {
  for (const block of root.querySelectorAll("pre[data-copy]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.setAttribute("aria-label", `Copy: ${block.getAttribute("aria-label") || "the text"}`);
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(block.textContent);
      button.textContent = "Copied";
    });
    block.before(button);
  }
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, textarea, select");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const field = document.querySelector("[data-shortcut='/']");
    if (field) {
      event.preventDefault();
      field.focus();
      field.select();
    }
  } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && typing) {
    const button = typing.form?.querySelector("button[data-enter]");
    if (button) {
      event.preventDefault();
      button.click();
    }
  }
});

document.addEventListener("submit", keepIfTooLarge);
for (const mark of document.querySelectorAll("[data-forget]")) {
  sessionStorage.removeItem(DRAFT + mark.dataset.forget);
}
document.querySelector("form[data-forget-all]")?.addEventListener("submit", () => {
  sessionStorage.clear();
});
for (const form of document.querySelectorAll("form[data-draft]")) keepDraft(form);
for (const form of document.querySelectorAll("form[data-live]")) followTyping(form);
addCopyButtons(document);
