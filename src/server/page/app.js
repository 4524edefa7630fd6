// The page put together: the conversation that is shown, the answer that is being written, panels and keys.
import {getJson} from "./api.js";
import {ChatList} from "./chat_list.js";
import {listConversations, loadConversation, newConversation, saveConversation, titleOf} from "./conversations.js";
import {announce, byId, confirmed, notify} from "./dom.js";
import {MemoryPoll, formatRate, showContext, showSpeed} from "./engine_panel.js";
import {generate} from "./generation.js";
import {invalidField, showDefaults, startSettings} from "./settings.js";
import {startTheme} from "./theme.js";
import {AnswerView, questionView} from "./turn_view.js";

const kOpen = "paro.open";        // the chat of this tab
const kPanel = "paro.panel";      // the panel that was open last
const kModel = "paro.model";      // the model that was chosen last
const kSaveMs = 2000;             // between savings of an answer that is being written
const kNearEndPixels = 80;
const kAnnouncedChars = 600;

const log = byId("log");
const turns = byId("turns");
const field = byId("message");
const isNarrow = matchMedia("(max-width: 1079px)");
const memoryPoll = new MemoryPoll();

let conversation = newConversation();
let running = null;  // {abort, done} of the answer that is being written
let model = {id: "Answer", nContext: 0};
let isChoice = false;  // several models are served
let isFollowing = true;  // the end of the conversation is kept in sight
const chatList = new ChatList({open: openConversation, current: () => conversation});

// The conversation

function save() {
  try {
    saveConversation(conversation);
  } catch {
    notify("The browser's storage is full: this chat is not saved. Export it, and delete old ones.");
  }
}

function lastFigures() {
  return conversation.messages.findLast((message) => message.figures)?.figures;
}

function showState() {
  const title = titleOf(conversation);
  byId("title").textContent = title;
  document.title = conversation.messages.length > 0 ? `${title} – paro` : "paro";
  byId("empty").hidden = conversation.messages.length > 0;
  const figures = lastFigures();
  showSpeed(figures);
  showContext(figures ? figures.prompt + figures.completion : 0, model.nContext);
  byId("send").hidden = running !== null;
  byId("stop").hidden = running === null;
}

function resultsAfter(index) {
  const results = [];
  for (let i = index + 1; conversation.messages[i]?.role === "tool"; ++i) results.push(conversation.messages[i].content);
  return results;
}

function answerActions(message) {
  return {retry: () => retry(message), sendResults: (texts) => sendResults(message, texts)};
}

function viewOf(message, index) {
  if (message.role === "user")
    return questionView(message, {edit: (text) => edit(message, text), remove: () => remove(message)});
  const view = AnswerView.finished(message, model.id, answerActions(message), resultsAfter(index));
  view.showCalls(index === conversation.messages.length - 1);
  return view.element;
}

function showConversation() {
  const shown = [...conversation.messages.entries()].filter(([, message]) => message.role !== "tool");
  turns.replaceChildren(...shown.map(([index, message]) => viewOf(message, index)));
  showState();
  chatList.show();
  follow(true);
}

async function openConversation(id) {
  await stop();
  conversation = (id && loadConversation(id)) || newConversation();
  sessionStorage.setItem(kOpen, conversation.id);
  showConversation();
  closeOverlay();
  field.focus();
}

// Answers

function progressText({nRead, nPrompt, nPieces, seconds}) {
  if (nPrompt) return `reading ${nRead.toLocaleString("en")} of ${nPrompt.toLocaleString("en")} tokens`;
  return seconds > 0.5 ? `about ${formatRate(nPieces / seconds)}` : "";
}

// What an answer waits for whose model has to be loaded first.
async function showLoading(id, isWaiting) {
  try {
    const {status} = await getJson(`models/${encodeURIComponent(id)}`);
    if (status.value === "loaded" || !isWaiting()) return;
    byId("progress").textContent = "loading the model";
    announce("Loading the model");
  } catch {
    // the answer itself tells what is wrong
  }
}

async function answer() {
  const abort = new AbortController();
  const message = {role: "assistant", content: ""};
  const target = conversation;
  const messages = [...target.messages];
  target.messages.push(message);
  const view = new AnswerView(message, model.id, answerActions(message));
  view.begin(() => follow());
  turns.append(view.element);
  let savedMs = performance.now();
  let isWaiting = true;
  let isWriting = false;
  const progress = (state) => {
    isWaiting = false;
    byId("progress").textContent = progressText(state);
    if (!isWriting && message.content) announce("Answering");
    isWriting = message.content !== "";
    if (performance.now() - savedMs < kSaveMs) return;
    savedMs = performance.now();
    save();
  };
  const done = generate(model.id, messages, message, view, abort.signal, progress);
  running = {abort, done};
  announce("Waiting for the answer");
  if (isChoice) showLoading(model.id, () => isWaiting);
  showState();
  follow(true);
  await done;
  isWaiting = false;
  running = null;
  byId("progress").textContent = "";
  target.updated = Date.now();
  view.finish(true);
  save();
  showState();
  chatList.show();
  follow();
  const text = view.body.textContent.slice(0, kAnnouncedChars);
  announce(message.error ?? (message.calls ? `Calls ${message.calls.map((call) => call.name).join(", ")}` : `Answered: ${text}`));
  if (message.calls && !message.error) view.element.querySelector(".results textarea")?.focus();
}

// Whether a request can be made; shows what stands in its way.
function isReady() {
  if (running) return false;
  const wrong = invalidField();
  if (!wrong) return true;
  openPanel("settings");
  wrong.reportValidity();
  return false;
}

function ask(text) {
  const message = {role: "user", content: text};
  conversation.messages.push(message);
  conversation.updated = Date.now();
  sessionStorage.setItem(kOpen, conversation.id);
  turns.append(viewOf(message));
  save();
  chatList.show();
  return answer();
}

async function stop() {
  running?.abort.abort();
  await running?.done;
}

// Leaves what is before the message.
function cutBefore(message) {
  conversation.messages.length = conversation.messages.indexOf(message);
  showConversation();
}

async function retry(message) {
  await stop();
  if (!isReady()) return;
  cutBefore(message);
  field.focus();
  answer();
}

async function edit(message, text) {
  await stop();
  if (!text.trim() || !isReady()) return;
  cutBefore(message);
  field.focus();
  ask(text);
}

async function remove(message) {
  await stop();
  const start = conversation.messages.indexOf(message);
  const next = conversation.messages.findIndex((other, i) => i > start && other.role === "user");
  const end = next === -1 ? conversation.messages.length : next;
  if (!(await confirmed("Delete the message and its answer?", "Delete"))) return;
  conversation.messages.splice(start, end - start);
  save();
  showConversation();
  field.focus();
}

function sendResults(message, texts) {
  if (!isReady()) return;
  for (const [i, call] of message.calls.entries())
    conversation.messages.push({role: "tool", content: texts[i], callId: call.id});
  showConversation();
  field.focus();
  answer();
}

// Scrolling

function follow(always = false) {
  if (always) isFollowing = true;
  if (isFollowing) log.scrollTop = log.scrollHeight;
  byId("latest").hidden = isFollowing;
}

log.addEventListener("scroll", () => {
  isFollowing = log.scrollHeight - log.scrollTop - log.clientHeight < kNearEndPixels;
  byId("latest").hidden = isFollowing;
}, {passive: true});
byId("latest").addEventListener("click", () => {
  follow(true);
  field.focus();
});

// Panels: beside the conversation, or over it where there is no room

const panels = ["chats", "engine", "settings"];

function isOverlay(name) {
  return name === "chats" ? matchMedia("(max-width: 779px)").matches : isNarrow.matches;
}

function overlay() {
  return panels.find((name) => isOverlay(name) && byId(name).classList.contains("open"));
}

function showPanels() {
  const over = overlay();
  for (const name of panels) {
    const panel = byId(name);
    const isOpen = panel.classList.contains("open");
    if (name !== "chats") panel.hidden = !isOpen;
    byId(`open-${name}`).setAttribute("aria-expanded", String(isOpen));
    panel.inert = over !== undefined && over !== name;
  }
  byId("column").inert = over !== undefined;
  memoryPoll.update();
}

function openPanel(name) {
  for (const other of panels) if (other !== "chats" || isOverlay(name)) byId(other).classList.toggle("open", other === name);
  if (name !== "chats" && !isOverlay(name)) localStorage.setItem(kPanel, name);
  showPanels();
  if (isOverlay(name)) byId(name).querySelector("button").focus();
}

function closePanel(name) {
  byId(name).classList.remove("open");
  if (name !== "chats" && !isOverlay(name)) localStorage.setItem(kPanel, "none");
  showPanels();
  byId(`open-${name}`).focus();
}

function closeOverlay() {
  const over = overlay();
  if (over) closePanel(over);
}

for (const name of panels) {
  byId(`open-${name}`).addEventListener("click", () =>
    byId(name).classList.contains("open") ? closePanel(name) : openPanel(name));
}
for (const button of document.querySelectorAll("[data-close]"))
  button.addEventListener("click", () => closePanel(button.dataset.close));
isNarrow.addEventListener("change", showPanels);

// The message field and the keys

function fitField() {
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight}px`;
}

field.addEventListener("input", fitField);
field.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  byId("composer").requestSubmit();
});
byId("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = field.value.trim();
  if (!text || !isReady()) return;
  field.value = "";
  fitField();
  field.focus();
  ask(text);
});
byId("stop").addEventListener("click", () => {
  stop();
  field.focus();
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
  if (running) stop();
  else closeOverlay();
});

for (const dialog of document.querySelectorAll("dialog")) {
  const form = dialog.querySelector("form");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    dialog.close("yes");
  });
  dialog.querySelector("[data-cancel]").addEventListener("click", () => dialog.close(""));
}

// The start

// Of several models the one that was chosen last.
async function learnModels() {
  try {
    const {data: served} = await getJson("models");
    const chosen = served.find(({id}) => id === localStorage.getItem(kModel)) ?? served[0];
    const choice = byId("models");
    isChoice = served.length > 1;
    choice.replaceChildren(...served.map(({id}) => new Option(id, id, false, id === chosen.id)));
    choice.hidden = !isChoice;
    byId("model").hidden = isChoice;
    choice.addEventListener("change", () => {
      localStorage.setItem(kModel, choice.value);
      useModel(served.find(({id}) => id === choice.value));
    });
    await useModel(chosen);
  } catch (error) {
    byId("facts").textContent = error.message;
  }
}

async function useModel(served) {
  const chosen = {id: served.id, nContext: served.max_model_len};
  model = chosen;
  byId("model").textContent = model.id;
  byId("facts").textContent = `${model.id}, with a context of ${model.nContext.toLocaleString("en")} tokens`;
  for (const heading of turns.querySelectorAll(".answer > h2")) heading.textContent = model.id;
  showState();
  try {
    const props = await getJson(`props?model=${encodeURIComponent(chosen.id)}`);
    if (model === chosen) showDefaults(props.default_generation_settings.params);  // another may be chosen by now
  } catch (error) {
    if (model === chosen) byId("facts").textContent = error.message;
  }
}

startTheme();
startSettings();
const openId = sessionStorage.getItem(kOpen) ?? listConversations()[0]?.id;
conversation = (openId && loadConversation(openId)) || newConversation();
showConversation();
const panel = localStorage.getItem(kPanel) ?? "engine";
if (!isNarrow.matches && panels.includes(panel)) openPanel(panel);
field.focus();
learnModels();
