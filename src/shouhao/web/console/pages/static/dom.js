// Elements by hand. Text is always text: nothing here ever reads markup, so a name that holds a script is a name.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "disabled" || name === "muted") element[name] = value;
    else if (name === "href" || name === "src") element.setAttribute(name, safeAddress(String(value)));
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  put(element, ...children);
  return element;
}

// An address leads within our own site, or shows bytes that we made ourselves.
function safeAddress(address) {
  return /^(\/(?!\/)|blob:|data:image\/|\?|#)/.test(address) ? address : "#";
}

export function put(parent, ...children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    parent.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return parent;
}

export const h = (tag, properties, ...children) => fill(document.createElement(tag), properties, children);
export const s = (tag, properties, ...children) => fill(document.createElementNS(SVG, tag), properties, children);

export function show(place, ...children) {
  place.replaceChildren();
  return put(place, ...children);
}

// A form whose fields are told by name; the button says that it heard, and a second press sends nothing.
export function form(properties, onsend, ...children) {
  const element = h("form", { ...properties, novalidate: false }, ...children);
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (element.dataset.sent) return;
    element.dataset.sent = "yes";
    const button = event.submitter;
    if (button) button.setAttribute("aria-busy", "true");
    const told = element.querySelector("[role=alert]");
    if (told) told.remove();
    try {
      const fields = Object.fromEntries(new FormData(element).entries());
      if (button && button.name) fields[button.name] = button.value;
      await onsend(fields, element);
    } catch (error) {
      element.prepend(refusal(error));
    } finally {
      delete element.dataset.sent;
      if (button) button.removeAttribute("aria-busy");
    }
  });
  return element;
}

export function refusal(error) {
  const number = error.requestId ? h("small", { class: "code" }, ` ${error.requestId}`) : null;
  return h("div", { class: "note bad", role: "alert" }, h("p", {}, error.message || String(error), number));
}

export const field = (label, input) => h("label", { class: "field" }, h("span", {}, label), input);

export function table(heads, rows, empty) {
  if (!rows.length) return h("p", { class: "empty" }, empty);
  return h(
    "div",
    { class: "scroll", tabindex: "0" },
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))),
      h("tbody", {}, rows.map((row) => (row instanceof Node ? row : h("tr", {}, row.map((cell) => h("td", {}, cell)))))),
    ),
  );
}
