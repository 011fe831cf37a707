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

for (const button of document.querySelectorAll(".oci [data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", () => { copy(button); });
}

for (const input of document.querySelectorAll(".oci [data-filter]")) {
  input.addEventListener("input", () => {
    const text = input.value.trim().toLowerCase();
    for (const row of document.querySelectorAll(input.dataset.filter)) {
      const name = row.querySelector(".oci-name").textContent.toLowerCase();
      row.hidden = !name.includes(text);
    }
  });
}

for (const label of document.querySelectorAll(".oci [data-all]")) {
  const box = label.querySelector("input");
  label.hidden = false;
  box.addEventListener("change", () => {
    for (const other of document.querySelectorAll(label.dataset.all)) {
      other.checked = box.checked;
    }
  });
}
