// Conversations in the browser's storage: an index, and an entry for each, so that saving one does not write them all.
// Files of them are read with the same care as anything from outside.

const kIndex = "paro.conversations";
const entryName = (id) => `paro.conversation.${id}`;
const kFormat = "paro-conversations";
const kMaxTitleChars = 80;
const kRoles = ["user", "assistant", "tool"];

export function newConversation() {
  return {id: crypto.getRandomValues(new Uint32Array(2)).join(""), updated: Date.now(), messages: []};
}

export function titleOf(conversation) {
  const first = conversation.messages.find((message) => message.role === "user");
  const line = first?.content.trim().split("\n", 1)[0] ?? "";
  return line.length > kMaxTitleChars ? `${line.slice(0, kMaxTitleChars)}…` : line || "New chat";
}

const textOf = (value) => (typeof value === "string" ? value : "");

function callOf(value) {
  return {id: textOf(value?.id), name: textOf(value?.name), arguments: textOf(value?.arguments)};
}

// What is known of a message; the rest of the file's is left out.
function messageOf(value) {
  if (!kRoles.includes(value?.role)) return null;
  const message = {role: value.role, content: textOf(value.content)};
  for (const name of ["reasoning", "callId", "end", "error"]) if (value[name]) message[name] = textOf(value[name]);
  if (Array.isArray(value.calls)) message.calls = value.calls.map(callOf);
  if (value.figures && typeof value.figures === "object")
    message.figures = Object.fromEntries(Object.entries(value.figures).filter(([, n]) => Number.isFinite(n)));
  return message;
}

function conversationOf(value) {
  if (!Array.isArray(value?.messages)) return null;
  const messages = value.messages.map(messageOf).filter((message) => message !== null);
  return {...newConversation(), updated: Number.isFinite(value.updated) ? value.updated : Date.now(), messages};
}

function read(name) {
  try {
    return JSON.parse(localStorage.getItem(name));
  } catch {
    return null;
  }
}

export function listConversations() {
  const entries = read(kIndex);
  return Array.isArray(entries) ? entries.toSorted((a, b) => b.updated - a.updated) : [];
}

function writeIndex(entries) {
  localStorage.setItem(kIndex, JSON.stringify(entries));
}

export function loadConversation(id) {
  const conversation = conversationOf(read(entryName(id)));
  return conversation && {...conversation, id};
}

// Throws when the storage is full.
export function saveConversation(conversation) {
  const others = listConversations().filter((entry) => entry.id !== conversation.id);
  if (conversation.messages.length === 0) {
    localStorage.removeItem(entryName(conversation.id));
    return writeIndex(others);
  }
  localStorage.setItem(entryName(conversation.id), JSON.stringify(conversation));
  writeIndex([{id: conversation.id, title: titleOf(conversation), updated: conversation.updated}, ...others]);
}

export function removeConversation(id) {
  localStorage.removeItem(entryName(id));
  writeIndex(listConversations().filter((entry) => entry.id !== id));
}

export function exportedText(conversations) {
  return JSON.stringify({format: kFormat, version: 1, conversations}, null, 2);
}

// Saves what a file holds and returns it, newest first. Throws with what is wrong with it.
export function importText(text) {
  let file;
  try {
    file = JSON.parse(text);
  } catch {
    throw new Error("the file is not JSON");
  }
  if (file?.format !== kFormat || !Array.isArray(file.conversations))
    throw new Error("the file holds no conversations of this page");
  const conversations = file.conversations.map(conversationOf).filter((each) => each?.messages.length > 0);
  if (conversations.length === 0) throw new Error("the file holds no messages");
  for (const each of conversations) saveConversation(each);
  return conversations.toSorted((a, b) => b.updated - a.updated);
}
