/* Lights up the parts of a computation that a term of an equation stands for. All of it came with the page: pointing
   asks nothing of the server. Texts become text nodes and pictures addresses, never markup. */

const IDLE = "Every number and every small picture here is of this picture and this network.";
const boards = new WeakMap();

function made(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function pictures(list) {
  const strip = made("div", list.length > 1 ? "strip" : "strip large");
  for (const one of list) {
    const figure = made("figure");
    const image = made("img");
    if (one.address.startsWith("data:image/")) image.src = one.address;
    image.alt = one.caption;
    figure.append(image, made("figcaption", "", one.caption));
    strip.append(figure);
  }
  return strip;
}

function bars(list) {
  const grid = made("div", "bars");
  for (const one of list) {
    const way = made("div", "way");
    const bar = made("div", one.sign === "minus" ? "bar minus" : "bar");
    bar.style.width = `${Math.round(one.share * 100)}%`;
    way.append(bar);
    const label = made("span", one.counts ? "label right" : "label", one.name);
    label.title = one.name;
    grid.append(label, way, made("span", "value", one.value));
  }
  return grid;
}

class Board {
  constructor(root) {
    this.root = root;
    this.said = root.querySelector(".said");
    this.parts = root.querySelector(".parts");
    this.terms = [...root.querySelectorAll(".t")];
    this.pinned = null;
    for (const term of this.terms) {
      term.tabIndex = 0;
      term.setAttribute("role", "button");
      term.setAttribute("aria-pressed", "false");
      this.listen(term, term.dataset.part);
      term.addEventListener("focus", () => this.light(term.dataset.part));
      term.addEventListener("blur", () => this.rest());
      term.addEventListener("keydown", (event) => {
        if (event.key === "Enter" || event.key === " ") { event.preventDefault(); this.pin(term.dataset.part); }
      });
    }
    for (const line of root.querySelectorAll("li")) {
      // Beside its terms a line stands for all of them.
      line.addEventListener("pointerover", (event) => {
        if (event.pointerType !== "touch" && !event.target.closest(".t")) this.light(line.dataset.part);
      });
      line.addEventListener("pointerleave", (event) => { if (event.pointerType !== "touch") this.rest(); });
    }
    root.addEventListener("keydown", (event) => { if (event.key === "Escape") { this.pinned = null; this.rest(true); } });
  }

  listen(element, names) {
    element.addEventListener("pointerenter", (event) => { if (event.pointerType !== "touch") this.light(names); });
    element.addEventListener("pointerleave", (event) => { if (event.pointerType !== "touch") this.rest(); });
    element.addEventListener("click", () => this.pin(names));
  }

  /* A tap, or a press, keeps a part lit until it is pressed again. */
  pin(names) {
    this.pinned = this.pinned === names ? null : names;
    if (this.pinned) this.light(names); else this.rest(true);
  }

  rest(forced = false) {
    const focused = this.root.getRootNode().activeElement;
    const held = this.pinned ?? (!forced && focused?.classList.contains("t") ? focused.dataset.part : null);
    this.light(held);
  }

  light(names) {
    const lit = new Set(names ? names.split(" ") : []);
    this.root.classList.toggle("choosing", lit.size > 0);
    for (const part of this.parts.children) part.classList.toggle("lit", lit.has(part.dataset.part));
    for (const term of this.terms) {
      const mine = term.dataset.part.split(" ");
      term.classList.toggle("lit", lit.size > 0 && mine.every((name) => lit.has(name)));
      term.setAttribute("aria-pressed", String(this.pinned !== null && term.dataset.part === this.pinned));
    }
    const first = names ? names.split(" ")[0] : null;
    const told = first && this.data.parts[first];
    this.said.textContent = told ? `${told.title}: ${told.said}` : IDLE;
  }

  receive(data) {
    if (this.data === data) return;
    this.data = data;
    this.parts.replaceChildren();
    for (const name of ["photo", "f", "w", "wf", "cam", "z", "bce", "fk", "w2", "z2", "sce", "w3", "recam"]) {
      const part = data.parts[name];
      if (!part) continue;
      const box = made("section", "part");
      box.dataset.part = name;
      box.append(made("h4", "", part.title));
      if (part.pictures) box.append(pictures(part.pictures));
      if (part.bars) box.append(bars(part.bars));
      if (part.number) box.append(made("div", "big", part.number));
      this.listen(box, name);
      this.parts.append(box);
    }
    for (const line of this.root.querySelectorAll("li.second")) line.hidden = !data.parts.w2;
    this.pinned = null;
    this.light(null);
    this.root.dataset.ready = "";
  }
}

export default function show({ data, parentElement }) {
  const root = parentElement.querySelector(".board");
  if (!boards.has(root)) boards.set(root, new Board(root));
  boards.get(root).receive(data);
}
