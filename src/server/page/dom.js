// Making and finding nodes, and what speaks to the user outside the conversation. Text becomes text nodes, always:
// nothing of this page parses HTML at run time.

export const byId = (id) => document.getElementById(id);

// element("a", {href: url, onclick: follow}, "text", child): attributes whose names begin with "on" are listeners;
// false, null and undefined leave an attribute out.
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

// One of the symbols of index.html.
export function icon(name) {
  const namespace = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(namespace, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(namespace, "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

export function iconButton(name, label, onclick) {
  return element("button", {type: "button", class: "quiet", title: label, "aria-label": label, onclick}, icon(name));
}

// Read out by screen readers once they are done with what they say.
export function announce(text) {
  byId("announcement").textContent = text;
}

// Shown for a while where it is in nobody's way.
export function notify(text) {
  const notice = byId("notice");
  notice.textContent = text;
  notice.hidden = false;
  clearTimeout(notify.timer);
  notify.timer = setTimeout(() => (notice.hidden = true), 6000);
}

// Whether the user says yes.
export function confirmed(question, action) {
  const dialog = byId("confirmation");
  byId("confirmation-question").textContent = question;
  byId("confirmation-action").textContent = action;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), {once: true});
  });
}

// Browsers lend the clipboard API to pages from https or this machine; the others still have the old command.
export async function copyText(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = element("textarea", {class: "visually-hidden", readonly: true});
  field.value = text;
  const focused = document.activeElement;
  document.body.append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  focused?.focus();
  if (!copied) throw new Error("the browser does not allow it");
}

// A button that copies what `text()` gives, and says so.
export function copyButton(label, text) {
  const button = iconButton("copy", label, async () => {
    try {
      await copyText(text());
      button.replaceChildren(icon("done"));
      announce("Copied");
      setTimeout(() => button.replaceChildren(icon("copy")), 1500);
    } catch (error) {
      notify(`Not copied: ${error.message}`);
    }
  });
  return button;
}

export function downloadText(name, text) {
  const url = URL.createObjectURL(new Blob([text], {type: "application/json"}));
  element("a", {href: url, download: name}).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
