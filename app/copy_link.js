// Puts the address into the clipboard, and says for whom it works.

const connected = new WeakSet();

/** Whether no other computer reaches this address. */
function isHere({ hostname }) {
  return /^(localhost|.*[.]localhost|127[.][0-9.]+|\[::1\]|0[.]0[.]0[.]0)$/.test(hostname);
}

/** By the clipboard of today, which needs a secure page, or by the one of before; false where neither is allowed. */
async function copied(field) {
  try {
    await navigator.clipboard.writeText(field.value);
    return true;
  } catch {
    field.focus();
    field.select();
    try {
      return document.execCommand("copy");
    } catch {
      return false;
    }
  }
}

export default function show({ data, parentElement }) {
  const find = (selector) => parentElement.querySelector(selector);
  const button = find(".copy"), said = find(".said"), field = find("input");
  find(".notes").replaceChildren(...data.notes.map((note) => {
    const line = document.createElement("p");
    line.textContent = note;
    return line;
  }));
  if (connected.has(button)) return;
  connected.add(button);
  const close = () => {
    said.hidden = true;
    button.setAttribute("aria-expanded", "false");
  };
  button.addEventListener("click", async () => {
    const { location } = window;
    field.value = location.href;
    find(".here").hidden = !isHere(location);
    said.hidden = false;
    button.setAttribute("aria-expanded", "true");
    const box = button.getBoundingClientRect();
    said.style.top = `${box.bottom + 6}px`;
    said.style.left = `${Math.max(16, Math.min(box.left, window.innerWidth - said.offsetWidth - 16))}px`;
    const done = await copied(field);
    const refused = "The browser does not let it be copied: press Ctrl+C (⌘C).";
    find("strong").textContent = done ? "The link is copied." : refused;
    if (done) button.focus({ preventScroll: true });
    else field.select();
  });
  for (const one of [button, said]) {
    one.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || said.hidden) return;
      close();
      button.focus();
      event.stopPropagation();
    });
  }
  const outside = (event) => {
    if (!event.composedPath().includes(said) && !event.composedPath().includes(button)) close();
  };
  document.addEventListener("pointerdown", outside);
  document.addEventListener("scroll", close, true);
  return () => setTimeout(() => {
    if (button.isConnected) return;
    document.removeEventListener("pointerdown", outside);
    document.removeEventListener("scroll", close, true);
  });
}
