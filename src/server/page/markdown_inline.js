// Markdown within a block: emphasis, code, links, escapes. One pass from left to right; an emphasis or a link is closed
// as soon as its end is seen, by moving the nodes since its opener into a new element. What is never closed stays text.
// Time is linear: a node moves once for each element around it, and their depth is bounded.
import {element} from "./dom.js";

const kMaxOpeners = 48;     // waiting for their end, of each kind
const kMaxSkipped = 8;      // of them that an end looks past
const kMaxLinkChars = 4096;

const kPunctuation = /[!-/:-@[-`{-~]/;
const kPlain = /[^\\`*_~[\]!<&h]+/y;
const kRun = {"`": /`+/y, "*": /\*+/y, _: /_+/y, "~": /~+/y};
const kBracketedTarget = /<([^<>\n]*)>/y;
const kTarget = /[^\s()<>[\]]*(?:\([^\s()<>[\]]*\)[^\s()<>[\]]*)*/y;
const kTitle = /"[^"]*"|'[^']*'/y;
const kSpaces = /\s*/y;
const kAutolink = /<((?:https?:\/\/|mailto:)[^\s<>]*)>/y;
const kBareUrl = /https?:\/\/[^\s<>"'`*[\]{}|\\^]+/y;
const kBreak = /<br ?\/?>/iy;
const kEntity = /&(?:#(\d{1,7})|#[xX]([\da-fA-F]{1,6})|([a-z]{2,6}));/y;
const kEntities = {amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0", ndash: "–", mdash: "—", hellip: "…"};
const kSafeSchemes = ["http:", "https:", "mailto:"];

function matchAt(pattern, text, at) {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

// The link's address, or null where it may not be followed: other schemes, and addresses within this server.
export function safeUrl(text) {
  try {
    const url = new URL(text);
    return kSafeSchemes.includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

// What stands in parentheses after a link's text: {target, length}, or null.
function linkTarget(text) {
  if (text[0] !== "(") return null;
  let at = 1 + matchAt(kSpaces, text, 1)[0].length;
  const bracketed = matchAt(kBracketedTarget, text, at);
  const target = bracketed ?? matchAt(kTarget, text, at);
  at += target[0].length;
  const spaces = matchAt(kSpaces, text, at)[0].length;
  const title = spaces > 0 ? matchAt(kTitle, text, at + spaces) : null;
  at += spaces;
  if (title) at += title[0].length + matchAt(kSpaces, text, at + title[0].length)[0].length;
  return text[at] === ")" ? {target: bracketed ? bracketed[1] : target[0], length: at + 1} : null;
}

function link(url, ...children) {
  return element("a", {href: url, title: url, target: "_blank", rel: "noopener noreferrer"}, ...children);
}

class InlineParser {
  constructor(text) {
    this.text = text;
    this.at = 0;
    this.root = document.createDocumentFragment();
    this.plain = "";
    this.openers = {"*": [], _: [], "~": [], "[": []};
    this.nOpeners = 0;
    this.unclosed = new Set();  // lengths of backtick runs that have no equal further on
  }

  parse(isOpen) {
    while (this.at < this.text.length) this.step(isOpen);
    this.flush();
    if (isOpen) this.closeStrong();
    return this.root;
  }

  step(isOpen) {
    const char = this.text[this.at];
    if (char === "\\") this.escape();
    else if (char === "`") this.code(isOpen);
    else if (char === "*" || char === "_" || char === "~") this.emphasis(char);
    else if (char === "[") this.open("[", "[");
    else if (char === "!" && this.text[this.at + 1] === "[") this.open("[", "![");
    else if (char === "]") this.closeLink();
    else if (char === "<") this.angle();
    else if (char === "&") this.entity();
    else if (char === "h") this.bareUrl();
    else this.take(matchAt(kPlain, this.text, this.at)?.[0] ?? char);
  }

  take(text) {
    this.plain += text;
    this.at += text.length;
  }

  flush() {
    if (this.plain) this.root.append(this.plain);
    this.plain = "";
  }

  append(node, n_chars) {
    this.flush();
    this.root.append(node);
    this.at += n_chars;
  }

  escape() {
    const next = this.text[this.at + 1] ?? "";
    if (next === "\n" || kPunctuation.test(next)) {
      this.plain += next;
      this.at += 2;
    } else {
      this.take("\\");
    }
  }

  code(isOpen) {
    const run = matchAt(kRun["`"], this.text, this.at)[0];
    const start = this.at + run.length;
    let end = this.unclosed.has(run.length) ? -1 : start;
    while (end !== -1) {
      end = this.text.indexOf(run, end);
      if (end === -1) break;
      const length = matchAt(kRun["`"], this.text, end)[0].length;
      if (length === run.length) break;
      end += length;
    }
    if (end === -1) {
      this.unclosed.add(run.length);
      if (!isOpen || run.length > 2 || start === this.text.length) return this.take(run);
      end = this.text.length;
    }
    let code = this.text.slice(start, end).replaceAll("\n", " ");
    if (code.startsWith(" ") && code.endsWith(" ") && code.trim()) code = code.slice(1, -1);
    this.append(element("code", {}, code), end + run.length - this.at);
  }

  // Runs that may open and close, as CommonMark has it; letters of scripts without spaces count as letters beside
  // their own punctuation.
  emphasis(char) {
    const run = matchAt(kRun[char], this.text, this.at)[0];
    if (char === "~" && run.length !== 2) return this.take(run);
    const before = this.text[this.at - 1] ?? " ", after = this.text[this.at + run.length] ?? " ";
    const isSpace = (c) => c.trim() === "";
    const leads = !isSpace(after) && (!kPunctuation.test(after) || isSpace(before) || kPunctuation.test(before));
    const trails = !isSpace(before) && (!kPunctuation.test(before) || isSpace(after) || kPunctuation.test(after));
    const opens = leads && (char !== "_" || !trails || kPunctuation.test(before));
    const closes = trails && (char !== "_" || !leads || kPunctuation.test(after));
    let left = run.length;
    if (closes) left = this.closeEmphasis(char, {length: run.length, both: opens && closes});
    this.at += run.length - left;
    if (left > 0 && opens) this.open(char, char.repeat(left), {length: run.length, both: opens && closes});
    else this.take(char.repeat(left));
  }

  open(kind, text, run = {}) {
    if (this.openers[kind].length >= kMaxOpeners) return this.take(text);
    const node = document.createTextNode(text);
    this.append(node, text.length);
    this.openers[kind].push({node, order: this.nOpeners++, ...run});
  }

  // Returns how many characters of the run are left.
  closeEmphasis(char, run) {
    const stack = this.openers[char];
    let left = run.length;
    while (left > 0) {
      const last = Math.max(0, stack.length - kMaxSkipped);
      let i = stack.length - 1;
      // A run of three within the other's middle belongs to neither: **a*b** is strong alone.
      while (i >= last && (run.both || stack[i].both) && (run.length + stack[i].length) % 3 === 0 &&
             (run.length % 3 !== 0 || stack[i].length % 3 !== 0)) --i;
      if (i < last) return left;
      const opener = stack[i];
      const n = left >= 2 && opener.node.length >= 2 ? 2 : 1;
      this.wrap(opener, element(char === "~" ? "s" : n === 2 ? "strong" : "em"));
      opener.node.data = opener.node.data.slice(n);
      if (opener.node.length === 0) {
        opener.node.remove();
        stack.pop();
      }
      left -= n;
    }
    return left;
  }

  // Moves all that follows the opener into `around`. Openers in there are text from now on.
  wrap(opener, around) {
    this.flush();
    for (const stack of Object.values(this.openers))
      while (stack.length > 0 && stack.at(-1).order > opener.order) stack.pop();
    while (opener.node.nextSibling) around.append(opener.node.nextSibling);
    this.root.append(around);
  }

  closeLink() {
    const opener = this.openers["["].pop();
    if (!opener) return this.take("]");
    const found = linkTarget(this.text.slice(this.at + 1, this.at + 1 + kMaxLinkChars));
    const url = found && safeUrl(found.target);
    if (!url) return this.take("]");
    const around = link(url);
    this.wrap(opener, around);
    for (const inner of around.querySelectorAll("a")) inner.replaceWith(...inner.childNodes);
    if (!around.textContent) around.textContent = url;
    opener.node.remove();
    this.at += 1 + found.length;
  }

  angle() {
    const found = matchAt(kAutolink, this.text, this.at);
    const url = found && safeUrl(found[1]);
    if (url) return this.append(link(url, found[1]), found[0].length);
    const lineBreak = matchAt(kBreak, this.text, this.at);
    if (lineBreak) return this.append(element("br"), lineBreak[0].length);
    this.take("<");
  }

  entity() {
    const found = matchAt(kEntity, this.text, this.at);
    const code = found?.[1] ? Number(found[1]) : found?.[2] ? parseInt(found[2], 16) : NaN;
    const char = code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : kEntities[found?.[3]];
    if (!char) return this.take("&");
    this.plain += char;
    this.at += found[0].length;
  }

  bareUrl() {
    const found = /\w/.test(this.text[this.at - 1] ?? " ") ? null : matchAt(kBareUrl, this.text, this.at);
    if (!found) return this.take("h");
    let end = found[0].length;
    let nUnopened = 0;  // parentheses that close none of the address's own
    for (const char of found[0]) nUnopened += char === ")" ? 1 : char === "(" ? -1 : 0;
    for (; ".,;:!?)".includes(found[0][end - 1]); --end)
      if (found[0][end - 1] === ")" && nUnopened-- <= 0) break;
    const shown = found[0].slice(0, end);
    const url = safeUrl(shown);
    if (!url) return this.take("h");
    this.append(link(url, shown), shown.length);
  }

  // While more text is to come, what began as strong is strong.
  closeStrong() {
    const open = [...this.openers["*"], ...this.openers._].sort((a, b) => b.order - a.order);
    for (const opener of open) {
      if (opener.node.length !== 2 || !opener.node.nextSibling) continue;
      this.wrap(opener, element("strong"));
      opener.node.remove();
    }
  }
}

// `isOpen`: the text is a beginning, of which more will come.
export function inline(text, isOpen = false) {
  return new InlineParser(text).parse(isOpen);
}
