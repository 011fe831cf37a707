// Optional improvements: the pages work without scripts.

async function copy(button) {
  const text = button.dataset.copy;
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
  } else {
    // Browsers offer the clipboard only to pages that were loaded over TLS.
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    button.focus();
  }
  button.classList.add("oci-copied");
  setTimeout(() => { button.classList.remove("oci-copied"); }, 1500);
}

function enliven(part) {
  for (const button of part.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", () => { copy(button); });
  }
  for (const label of part.querySelectorAll("[data-all]")) {
    const box = label.querySelector("input");
    label.hidden = false;
    box.addEventListener("change", () => {
      for (const other of document.querySelectorAll(label.dataset.all)) {
        other.checked = box.checked;
      }
    });
  }
}

// The server searches, because a page has only a part of a list.
async function search(form, signal) {
  const address = new URL(form.action);
  address.search = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
  const results = document.querySelector(form.dataset.search);
  results.ariaBusy = "true";
  try {
    const answer = await fetch(address, { signal });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const found = page.querySelector(form.dataset.search);
    if (!answer.ok || answer.redirected || !found) { return; }
    results.replaceChildren(...found.childNodes);
    enliven(results);
    history.replaceState(null, "", address);
  } catch {
    // The next letter aborts the search. After a failure, the button still works.
  } finally {
    if (!signal.aborted) { results.ariaBusy = null; }
  }
}

for (const form of document.querySelectorAll(".oci [data-search]")) {
  let controller = new AbortController();
  let timer;
  form.addEventListener("input", () => {
    clearTimeout(timer);
    controller.abort();
    controller = new AbortController();
    const { signal } = controller;
    timer = setTimeout(() => { search(form, signal); }, 200);
  });
}

for (const part of document.querySelectorAll(".oci")) { enliven(part); }

// The program whose commands the visitor chose last.
for (const input of document.querySelectorAll(".oci [data-remember]")) {
  try {
    if (localStorage.getItem("oci-program") === input.dataset.remember) {
      input.checked = true;
    }
    input.addEventListener("change", () => {
      localStorage.setItem("oci-program", input.dataset.remember);
    });
  } catch {
    // Browsers may refuse storage.
  }
}
