"""Copy link: one press puts the address that the browser uses into the clipboard, and says for whom it works."""

from collections.abc import Sequence

import streamlit as st

_HTML = """
<button type="button" class="copy" aria-expanded="false" title="Copy the address of this view">
  <svg viewBox="0 0 20 20" aria-hidden="true"><path d="M8.5 11.5a3 3 0 0 0 4.3 0l2.9-2.9a3 3 0 0 0-4.3-4.3l-1.2 1.2"/>
  <path d="M11.5 8.5a3 3 0 0 0-4.3 0l-2.9 2.9a3 3 0 0 0 4.3 4.3l1.2-1.2"/></svg>Copy link
</button>
<div class="said" role="status" hidden>
  <strong></strong>
  <input type="text" readonly aria-label="Address of this view">
  <p class="here" hidden>This address works on this computer only: others need the lab under a name or number of their
  network.</p>
  <div class="notes"></div>
</div>
"""
_CSS = """
:host { display: block; position: relative; font-family: var(--st-font); color: var(--st-text-color); }
[hidden] { display: none !important; }
.copy { display: inline-flex; align-items: center; gap: 0.4rem; min-height: 2rem; padding: 0.1rem 0.7rem; font: inherit;
  color: inherit; white-space: nowrap; background: var(--st-background-color); cursor: pointer;
  border: 1px solid var(--st-border-color); border-radius: var(--st-base-radius); }
.copy:hover { border-color: var(--st-primary-color); color: var(--st-primary-color); }
:is(.copy, input):focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
.copy svg { width: 1.1rem; height: 1.1rem; fill: none; stroke: currentColor; stroke-width: 1.6; stroke-linecap: round; }
.said { position: fixed; z-index: 1000; width: min(24rem, calc(100vw - 2rem)); padding: 0.7rem 0.9rem;
  box-sizing: border-box; background: var(--st-background-color); border: 1px solid var(--st-border-color);
  border-radius: var(--st-base-radius); box-shadow: 0 4px 16px rgb(0 0 0 / 0.22); font-size: 0.9rem; }
.said p { margin: 0.4rem 0 0; }
.said input { display: block; width: 100%; box-sizing: border-box; margin-top: 0.4rem; padding: 0.3rem 0.45rem;
  font: inherit; color: inherit; background: var(--st-secondary-background-color);
  border: 1px solid var(--st-border-color); border-radius: var(--st-base-radius); }
"""
_JS = """
const connected = new WeakSet();

/** Whether no other computer reaches this address. */
function isHere({ hostname }) {
  return /^(localhost|.*[.]localhost|127[.][0-9.]+|\\[::1\\]|0[.]0[.]0[.]0)$/.test(hostname);
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
  for (const one of [button, said]) one.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || said.hidden) return;
    close();
    button.focus();
    event.stopPropagation();
  });
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
"""
_component = st.components.v2.component("recam_copy_link", html=_HTML, css=_CSS, js=_JS)


def copy_link(notes: Sequence[str] = (), *, key: str) -> None:
    """A button that copies the address of the page as it stands.

    Args:
        notes: sentences about what the address holds, shown below it.
        key: of the component.
    """
    _component(key=key, data={"notes": list(notes)}, width="content", height="content")
