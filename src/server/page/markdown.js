// Markdown as it comes, piece by piece, into the document. A finished line is read once and for all. The line that is
// still being written is shown too, through the same code, and taken back before the next piece: every change to the
// document goes through append() and swap(), which note how to undo it.
//
// The dialect is GitHub's as models write it: no indented code, nested lists by two columns or more, no HTML, pictures
// as links.
import {copyButton, element} from "./dom.js";
import {inline} from "./markdown_inline.js";

const kMaxDepth = 16;               // quotes and lists in one another; further markers are text
const kLongText = 4096;             // characters from which on a paragraph is not shown anew with each piece
const kGrowth = 1.25;               // but when it has grown by this
const kUndecided = /^(?:[-*+=_#|:~`>\s]*|[\s>]*\d{1,9}[.)]? *)$/;  // markers alone: what they begin is not seen yet
const kQuote = /^ {0,3}> ?/;
const kItem = /^( *)([-*+]|(\d{1,9})[.)])( +|$)/;
const kFence = /^( *)(`{3,}|~{3,})([^`]*)$/;
const kHeading = /^ {0,3}(#{1,6})(?: |$)/;
const kRule = /^ {0,3}([-*_]) *(?:\1 *){2,}$/;
const kUnderline = /^ {0,3}(?:={2,}|-{2,}) *$/;
const kColumns = /^\|? *:?-+:? *(?:\| *:?-+:? *)*\|?$/;  // of a trimmed line

const kRightToLeft = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;

const indentOf = (line) => line.length - line.trimStart().length;

function cellsOf(line) {
  const cells = [];
  let cell = "";
  const row = line.trim();
  for (let i = row.startsWith("|") ? 1 : 0; i < row.length; ++i) {
    if (row[i] === "\\" && row[i + 1] === "|") {
      cell += "|";
      ++i;
    } else if (row[i] === "|") {
      cells.push(cell);
      cell = "";
    } else {
      cell += row[i];
    }
  }
  if (cell.trim() || !row.endsWith("|")) cells.push(cell);
  return cells.map((text) => text.trim());
}

const alignmentOf = (cell) =>
  cell.endsWith(":") ? (cell.startsWith(":") ? "center" : "end") : cell.startsWith(":") ? "start" : null;

function headingText(line) {
  const text = line.trim().replace(/^#+/, "").trim();
  let end = text.length;
  while (text[end - 1] === "#") --end;
  return end === 0 || text[end - 1] === " " ? text.slice(0, end).trimEnd() : text;
}

function codeBlock(language) {
  const code = element("code");
  const block = element("figure", {class: "code", dir: "ltr"},
    element("figcaption", {}, element("span", {}, language || "text"), copyButton("Copy code", () => code.textContent)),
    element("pre", {tabindex: "0"}, code));
  return {block, code};
}

// By its first letter. dir="auto" would have the browser look again with each node that is added; the style sheet lets
// every block find its own direction, and this is for lists and quotes around them.
function directionOf(text) {
  const letter = /\p{L}/u.exec(text)?.[0];
  return letter ? (kRightToLeft.test(letter) ? "rtl" : "ltr") : "";
}

export class Markdown {
  constructor(root) {
    // Open containers, and the leaf within the innermost. Both are replaced, never changed, so that they can be kept.
    this.frames = [{kind: "root", element: root, list: null}];
    this.root = root;
    this.leaf = null;
    this.rest = "";      // of the text, after the last line break
    this.nShown = new WeakMap();  // characters of a paragraph when it was last rendered
    this.preview = null; // {frames, leaf, undo, length}: the state without `rest`, which is shown
    this.undo = null;    // while `rest` is read
  }

  push(text) {
    if (!this.root.dir) this.root.dir = directionOf(text);
    const length = this.rest.length + text.length;
    if (this.preview && length > kLongText && length < this.preview.length * kGrowth && !text.includes("\n")) {
      this.rest += text;
      (this.leaf?.code ?? this.leaf?.element)?.append(text);
      return;
    }
    const lines = (this.rest + text).replaceAll("\r\n", "\n").split("\n");
    const rest = lines.pop();
    this.takeBack();
    this.rest = "";
    for (const line of lines) this.line(line);
    this.rest = rest;
    this.showRest();
    if (this.leaf?.kind === "paragraph") this.showParagraph();
  }

  finish() {
    this.takeBack();
    if (this.rest) this.line(this.rest);
    this.rest = "";
    this.closeTo(0);
  }

  showRest() {
    const isUndecided = this.leaf?.kind === "fence" ? /^[\s>`~]*$/ : kUndecided;
    if (isUndecided.test(this.rest)) return;
    this.preview = {frames: [...this.frames], leaf: this.leaf, length: this.rest.length};
    this.undo = [];
    this.line(this.rest);
    this.preview.undo = this.undo;
    this.undo = null;
  }

  takeBack() {
    if (!this.preview) return;
    for (const step of this.preview.undo.reverse()) step();
    this.frames = this.preview.frames;
    this.leaf = this.preview.leaf;
    this.preview = null;
  }

  append(parent, node) {
    parent.append(node);
    this.undo?.push(() => node.remove());
  }

  swap(node, replacement) {
    node.replaceWith(replacement);
    this.undo?.push(() => replacement.replaceWith(node));
  }

  render({element: paragraph, text}, isOpen) {
    paragraph.replaceChildren(inline(text, isOpen));
    this.nShown.set(paragraph, text.length);
  }

  showParagraph() {
    const {element: paragraph, text} = this.leaf;
    const n = this.nShown.get(paragraph) ?? 0;
    const isMuchTheSame = text.length >= n && text.length < n * kGrowth;
    if (text.length <= kLongText || !isMuchTheSame) this.render(this.leaf, true);
  }

  line(raw) {
    let line = raw.replaceAll("\t", "    ");
    let nMatched = 1;
    for (; nMatched < this.frames.length; ++nMatched) {
      const frame = this.frames[nMatched];
      if (frame.kind === "quote") {
        const marker = kQuote.exec(line);
        if (!marker) break;
        line = line.slice(marker[0].length);
      } else if (line.trim()) {
        const indent = indentOf(line);
        if (indent < frame.least) break;
        line = line.slice(Math.min(indent, frame.indent));
      }
    }
    const isInside = nMatched === this.frames.length;
    if (isInside && this.leaf?.kind === "fence") return this.fenceLine(line);
    if (!line.trim()) return this.blank(nMatched);
    if (this.leaf?.kind === "paragraph" && isInside && this.startsTable(line)) return this.openTable(line);
    if (this.leaf?.kind === "paragraph" && !this.startsBlock(line, isInside)) {
      if (isInside && kUnderline.test(line)) return this.underline(line);
      this.leaf = {...this.leaf, text: `${this.leaf.text}\n${line.trimStart()}`};  // also where markers are left out
      return;
    }
    if (!isInside) this.closeTo(nMatched - 1);
    this.leafLine(this.openContainers(line));
  }

  blank(nMatched) {
    const quote = this.frames.findIndex((frame, i) => i >= nMatched && frame.kind === "quote");
    if (quote !== -1) this.closeTo(quote - 1);
    else this.closeLeaf();
  }

  // Whether a line ends the paragraph before it.
  startsBlock(line, isInside) {
    if (isInside && kUnderline.test(line)) return false;
    if (kQuote.test(line) || kHeading.test(line) || kRule.test(line) || kFence.test(line)) return true;
    const item = kItem.exec(line);
    if (!item || item[0].length === line.length) return false;
    return !item[3] || item[3] === "1" || this.frames.at(-1).kind === "item";
  }

  openContainers(line) {
    while (this.frames.length <= kMaxDepth) {
      const quote = kQuote.exec(line);
      const item = quote || kRule.test(line) ? null : kItem.exec(line);
      if (quote) line = this.openQuote(line, quote);
      else if (item) line = this.openItem(line, item);
      else break;
    }
    return line;
  }

  openQuote(line, marker) {
    this.closeLeaf();
    this.pushFrame("quote", element("blockquote"), {});
    return line.slice(marker[0].length);
  }

  openItem(line, marker) {
    this.closeLeaf();
    const [all, spaces, symbol, number] = marker;
    const kind = number ? symbol.at(-1) : symbol;
    let list = this.frames.at(-1).list;
    if (list?.kind !== kind) {
      const start = number && Number(number) !== 1 ? Number(number) : null;
      list = {kind, element: element(number ? "ol" : "ul", {start})};
      this.append(this.frames.at(-1).element, list.element);
      this.frames[this.frames.length - 1] = {...this.frames.at(-1), list};
    }
    const item = element("li");
    this.append(list.element, item);
    const width = spaces.length + symbol.length;
    const indent = marker[4].length >= 1 && marker[4].length <= 4 ? all.length : width + 1;
    const least = Math.min(indent, spaces.length + 2);
    this.frames = [...this.frames, {kind: "item", element: item, list: null, indent, least}];
    const rest = line.slice(indent);
    const box = /^\[([ xX])\] /.exec(rest);
    if (!box) return rest;
    const isDone = box[1] !== " ";
    const label = isDone ? "done" : "to do";
    this.append(item, element("span", {class: "task", role: "img", "aria-label": label}, isDone ? "☑ " : "☐ "));
    return rest.slice(box[0].length);
  }

  // Adds a block to the innermost container; a list before it has ended.
  add(block) {
    const frame = this.frames.at(-1);
    if (frame.list) this.frames[this.frames.length - 1] = {...frame, list: null};
    this.append(frame.element, block);
  }

  pushFrame(kind, block, more) {
    this.add(block);
    this.frames = [...this.frames, {kind, element: block, list: null, ...more}];
  }

  leafLine(line) {
    if (!line.trim()) return this.closeLeaf();
    const fence = kFence.exec(line);
    if (fence) return this.openFence(fence);
    if (kHeading.test(line)) {
      this.closeLeaf();
      const level = kHeading.exec(line)[1].length;
      return this.add(element(`h${Math.min(level + 2, 6)}`, {}, inline(headingText(line))));
    }
    if (kRule.test(line)) {
      this.closeLeaf();
      return this.add(element("hr"));
    }
    if (this.leaf?.kind === "table" && line.includes("|")) return this.tableRow(line);
    this.closeLeaf();
    const paragraph = element("p");
    this.add(paragraph);
    this.leaf = {kind: "paragraph", element: paragraph, text: line.trimStart()};
  }

  underline(line) {
    const heading = element(line.includes("=") ? "h3" : "h4", {}, inline(this.leaf.text));
    this.swap(this.leaf.element, heading);
    this.leaf = null;
  }

  openFence([, spaces, marker, language]) {
    this.closeLeaf();
    const {block, code} = codeBlock(language.trim().split(/\s/, 1)[0]);
    this.add(block);
    this.leaf = {kind: "fence", element: block, code, marker, indent: spaces.length, nLines: 0};
  }

  fenceLine(line) {
    const end = line.trim();
    const {marker, indent, code, nLines} = this.leaf;
    if (end.length >= marker.length && end === marker[0].repeat(end.length)) {
      this.leaf = null;
      return;
    }
    const text = line.slice(Math.min(indent, indentOf(line)));
    this.append(code, document.createTextNode(nLines > 0 ? `\n${text}` : text));
    this.leaf = {...this.leaf, nLines: nLines + 1};
  }

  startsTable(line) {
    if (!line.includes("|") && !line.includes("-")) return false;
    const header = this.leaf.text.slice(this.leaf.text.lastIndexOf("\n") + 1);
    return header.includes("|") && kColumns.test(line.trim()) && cellsOf(header).length === cellsOf(line).length;
  }

  openTable(line) {
    const at = this.leaf.text.lastIndexOf("\n");
    const names = cellsOf(this.leaf.text.slice(at + 1));
    const alignments = cellsOf(line).map(alignmentOf);
    const body = element("tbody");
    const head = element("tr", {}, ...names.map((name, i) =>
      element("th", {scope: "col", class: alignments[i]}, inline(name))));
    const block = element("div", {class: "table", tabindex: "0"}, element("table", {}, element("thead", {}, head), body));
    if (at === -1) {
      this.swap(this.leaf.element, block);
    } else {
      this.render({...this.leaf, text: this.leaf.text.slice(0, at)}, false);
      this.add(block);
    }
    this.leaf = {kind: "table", element: block, body, alignments};
  }

  tableRow(line) {
    const cells = cellsOf(line);
    this.append(this.leaf.body, element("tr", {}, ...this.leaf.alignments.map((alignment, i) =>
      element("td", {class: alignment}, inline(cells[i] ?? "")))));
  }

  closeLeaf() {
    if (this.leaf?.kind === "paragraph") this.render(this.leaf, false);
    this.leaf = null;
  }

  closeTo(n) {
    this.closeLeaf();
    this.frames = this.frames.slice(0, n + 1);
  }
}

export function renderMarkdown(root, text) {
  const markdown = new Markdown(root);
  markdown.push(text);
  markdown.finish();
}
