// How a message looks. Text that is being written reaches the document once a frame, and only what is new of it.
import {copyButton, element, icon, iconButton} from "./dom.js";
import {formatRate} from "./engine_panel.js";
import {Markdown} from "./markdown.js";

const kShownThoughtChars = 90;  // of the last line, while it is folded

function prettyArguments(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function code(text) {
  return element("pre", {tabindex: "0", dir: "auto"}, element("code", {}, text));
}

// A text field with two buttons; Enter is the first, Escape the second.
function editForm(label, text, action, onDone, onCancel) {
  const field = element("textarea", {"aria-label": label, dir: "auto", rows: Math.min(12, text.split("\n").length + 1)});
  field.value = text;
  const form = element("form", {class: "edit"}, field, element("div", {class: "row"},
    element("button", {type: "submit", class: "main"}, action),
    onCancel && element("button", {type: "button", onclick: onCancel}, "Cancel")));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    onDone(field.value);
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    } else if (event.key === "Escape" && onCancel) {
      event.stopPropagation();
      onCancel();
    }
  });
  return {form, field};
}

// `actions`: {edit(text), remove()}
export function questionView(message, actions) {
  const text = element("p", {class: "text", dir: "auto"}, message.content);
  const buttons = element("div", {class: "buttons"});
  const edit = iconButton("edit", "Edit the message", () => {
    const close = () => {
      form.replaceWith(text);
      buttons.hidden = false;
      edit.focus();
    };
    const {form, field} = editForm("Message", message.content, "Send", (changed) => actions.edit(changed), close);
    text.replaceWith(form);
    buttons.hidden = true;
    field.focus();
  });
  buttons.append(edit, copyButton("Copy the message", () => message.content),
    iconButton("remove", "Delete the message and its answer", actions.remove));
  return element("article", {class: "turn question"}, element("h2", {}, "You"), text, buttons);
}

function callView(call, result) {
  const parts = [element("h3", {}, icon("call"), element("span", {}, call.name)), code(prettyArguments(call.arguments))];
  if (result !== undefined) parts.push(element("p", {class: "label"}, "Result"), code(prettyArguments(result)));
  return element("section", {class: "call", "aria-label": `Call of ${call.name}`}, ...parts);
}

function figuresText({completion, decodePerSecond, prompt, cached, prefillPerSecond, firstSeconds}) {
  const parts = [];
  if (completion) parts.push(`${completion} tokens`);
  if (decodePerSecond) parts.push(formatRate(decodePerSecond));
  const rate = prefillPerSecond ? ` at ${formatRate(prefillPerSecond)}` : "";
  if (prompt) parts.push(`prompt ${prompt}${cached ? ` (${cached} cached)` : ""}${rate}`);
  if (firstSeconds) parts.push(`first after ${firstSeconds.toFixed(2)} s`);
  return parts.join(" · ");
}

const kEnds = {length: "Ended: no tokens left.", stopped: "Stopped."};

export class AnswerView {
  // `actions`: {retry(), sendResults(texts)}; `results` are those of its calls, as far as they are there.
  constructor(message, name, actions, results = []) {
    this.message = message;
    this.actions = actions;
    this.results = results;
    this.isWriting = false;
    this.startedMs = performance.now();
    this.thoughtSeconds = null;
    this.pending = {content: "", reasoning: ""};
    this.frame = null;

    this.summary = element("summary", {}, "Thoughts");
    this.thoughts = element("div", {class: "thoughts"});
    this.thinking = element("details", {class: "thinking", hidden: true}, this.summary, this.thoughts);
    this.body = element("div", {class: "text markdown"});
    this.calls = element("div", {class: "calls"});
    this.end = element("p", {class: "end", hidden: true});
    this.figures = element("span");
    this.footer = element("footer", {hidden: true}, this.figures, element("div", {class: "buttons"},
      copyButton("Copy the answer", () => message.content), iconButton("retry", "Answer again", actions.retry)));
    this.element = element("article", {class: "turn answer"}, element("h2", {}, name), this.thinking, this.body, this.calls,
      this.end, this.footer);
    this.markdown = new Markdown(this.body);
  }

  static finished(message, name, actions, results) {
    const view = new AnswerView(message, name, actions, results);
    view.pending = {content: message.content, reasoning: message.reasoning ?? ""};
    view.finish();
    return view;
  }

  // Before the first delta. `onFrame` is called after each change of the document.
  begin(onFrame) {
    this.isWriting = true;
    this.onFrame = onFrame;
    this.element.classList.add("writing");
    this.element.setAttribute("aria-busy", "true");
  }

  add(kind, text) {
    this.pending[kind] += text;
    this.frame ??= requestAnimationFrame(() => {
      this.flush();
      this.onFrame?.();
    });
  }

  flush() {
    cancelAnimationFrame(this.frame);
    this.frame = null;
    const {content, reasoning} = this.pending;
    this.pending = {content: "", reasoning: ""};
    if (reasoning) {
      this.thinking.hidden = false;
      this.thoughts.append(reasoning);
    }
    if (content) {
      if (this.isWriting) this.thoughtSeconds ??= (performance.now() - this.startedMs) / 1000;
      this.markdown.push(content);
    }
    if (!this.thinking.hidden) this.summary.textContent = this.thinkingLabel();
  }

  thinkingLabel() {
    if (!this.isWriting || this.message.content) return this.thoughtSeconds ? `Thought for ${this.thoughtSeconds.toFixed(1)} s` : "Thoughts";
    const tail = this.message.reasoning.slice(-4 * kShownThoughtChars).trimEnd();
    const line = tail.slice(tail.lastIndexOf("\n") + 1);
    return `Thinking: ${line.length > kShownThoughtChars ? `…${line.slice(-kShownThoughtChars)}` : line}`;
  }

  showCalls(isOpen) {
    const calls = this.message.calls ?? [];
    this.calls.replaceChildren(...calls.map((call, i) => callView(call, this.results[i])));
    if (isOpen && calls.length > 0 && !this.isWriting) this.calls.append(this.resultsForm(calls));
  }

  resultsForm(calls) {
    const fields = calls.map((call) => element("textarea", {rows: 2, dir: "auto", "aria-label": `Result of ${call.name}`,
      placeholder: `What ${call.name} gives`}));
    const form = element("form", {class: "edit results"}, ...fields,
      element("div", {class: "row"}, element("button", {type: "submit", class: "main"}, calls.length > 1 ? "Send the results" : "Send the result")));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.actions.sendResults(fields.map((field) => field.value));
    });
    for (const field of fields) {
      field.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
        event.preventDefault();
        form.requestSubmit();
      });
    }
    return form;
  }

  // `isOpen`: results of its calls are waited for.
  finish(isOpen = false) {
    this.flush();
    this.isWriting = false;
    this.markdown.finish();
    if (!this.thinking.hidden) this.summary.textContent = this.thinkingLabel();
    this.element.classList.remove("writing");
    this.element.removeAttribute("aria-busy");
    this.showCalls(isOpen);
    const {error, end, figures} = this.message;
    this.end.textContent = error ?? kEnds[end] ?? "";
    this.end.hidden = this.end.textContent === "";
    this.end.classList.toggle("error", error !== undefined);
    this.figures.textContent = figures ? figuresText(figures) : "";
    this.footer.hidden = false;
  }
}
