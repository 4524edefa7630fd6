// The list of chats beside the conversation, and their way to files and back.
import {byId, confirmed, downloadText, element, iconButton, notify} from "./dom.js";
import {exportedText, importText, listConversations, loadConversation, removeConversation} from "./conversations.js";

export class ChatList {
  // `open(id)` shows that chat, a new one where id is null; `current()` is the one that is shown.
  constructor({open, current}) {
    this.open = open;
    this.current = current;
    byId("new-chat").addEventListener("click", () => open(null));
    byId("export-chat").addEventListener("click", () => this.export("paro-chat.json", [current()]));
    byId("export-all").addEventListener("click", () =>
      this.export("paro-chats.json", listConversations().map(({id}) => loadConversation(id)).filter((each) => each !== null)));
    byId("import").addEventListener("click", () => byId("import-file").click());
    byId("import-file").addEventListener("change", (event) => this.import(event.target));
    window.addEventListener("storage", () => this.show());  // another tab has written
  }

  export(name, conversations) {
    if (conversations.every(({messages}) => messages.length === 0)) return notify("There is nothing to export yet.");
    downloadText(name, exportedText(conversations));
  }

  async import(field) {
    const [file] = field.files;
    field.value = "";
    if (!file) return;
    try {
      const conversations = importText(await file.text());
      this.open(conversations[0].id);
      notify(conversations.length === 1 ? "One chat was imported." : `${conversations.length} chats were imported.`);
    } catch (error) {
      notify(`Not imported: ${error.message}`);
    }
  }

  async remove(id, title) {
    if (!(await confirmed(`Delete the chat “${title}”?`, "Delete"))) return;
    if (this.current().id === id) await this.open(null);  // which saves it a last time
    removeConversation(id);
    this.show();
    byId("new-chat").focus();
  }

  show() {
    const currentId = this.current().id;
    byId("chat-list").replaceChildren(...listConversations().map(({id, title}) =>
      element("li", {},
        element("button", {type: "button", class: "quiet title", dir: "auto", "aria-current": id === currentId ? "true" : null,
          onclick: () => this.open(id)}, title),
        iconButton("remove", `Delete ${title}`, () => this.remove(id, title)))));
  }
}
