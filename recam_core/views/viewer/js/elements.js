/* Making elements. Texts of the payload (names, titles) only ever become text, never markup. */

const SVG = "http://www.w3.org/2000/svg";

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function drawing(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** Changes a text only if it is another one: unchanged text costs the browser nothing. */
function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function put(node, attribute, value) {
  if (node.getAttribute(attribute) !== value) node.setAttribute(attribute, value);
}

/** Moves a slider, and the filled part of its track with it. */
function setRange(slider, value) {
  if (Number(slider.value) !== value) slider.value = value;
  slider.style.setProperty("--share", value);
}

const colourText = ([red, green, blue]) => `rgb(${red} ${green} ${blue})`;

function dot(colour) {
  const made = element("i", { class: "dot", "aria-hidden": "true" });
  made.style.background = colourText(colour);
  return made;
}
