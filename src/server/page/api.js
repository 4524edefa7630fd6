// Requests to the server that this page came from: the key, errors as the server words them, answers as a stream.
import {byId} from "./dom.js";
import {eventsOf} from "./event_stream.js";

const kKey = "paro.key";  // in the session's storage: gone with the tab
const root = new URL("v1/", location.href);

export class ApiError extends Error {
  constructor(message, {code = null, status = 0, retryAfterSeconds = null} = {}) {
    super(message);
    this.code = code;
    this.status = status;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

async function errorOf(response) {
  const retryAfter = Number.parseInt(response.headers.get("Retry-After"), 10);
  const more = {status: response.status, retryAfterSeconds: Number.isNaN(retryAfter) ? null : retryAfter};
  try {
    const {error} = await response.json();
    return new ApiError(error.message, {...more, code: error.code});
  } catch {
    return new ApiError(`The server answers ${response.status} ${response.statusText}`, more);
  }
}

function headers(body) {
  const key = sessionStorage.getItem(kKey);
  return {...(body && {"Content-Type": "application/json"}), ...(key && {Authorization: `Bearer ${key}`})};
}

let askedKey = null;  // one question for all requests that wait for it

function askForKey(message) {
  if (askedKey) return askedKey;
  const dialog = byId("key");
  const field = byId("key-field");
  byId("key-message").textContent = sessionStorage.getItem(kKey) ? message : "";
  field.value = "";
  dialog.returnValue = "";
  dialog.showModal();
  field.focus();
  askedKey = new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      askedKey = null;
      const isGiven = dialog.returnValue === "yes" && field.value.trim() !== "";
      if (isGiven) sessionStorage.setItem(kKey, field.value.trim());
      field.value = "";
      resolve(isGiven);
    }, {once: true});
  });
  return askedKey;
}

// Resolves to a response that is well; throws ApiError, or what an abort throws.
async function request(path, body, signal) {
  for (;;) {
    let response;
    const key = sessionStorage.getItem(kKey);
    try {
      response = await fetch(new URL(path, root), {
        method: body ? "POST" : "GET", headers: headers(body), body: body && JSON.stringify(body), signal, cache: "no-store",
      });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new ApiError("The server cannot be reached. Is it still running?", {code: "unreachable"});
    }
    if (response.ok) return response;
    const error = await errorOf(response);
    const isNewKey = sessionStorage.getItem(kKey) !== key;  // another request was given one meanwhile
    if (response.status !== 401 || (!isNewKey && !(await askForKey(error.message)))) throw error;
  }
}

export async function getJson(path) {
  return (await request(path)).json();
}

// The chunks of an answer.
export async function* streamChat(body, signal) {
  const response = await request("chat/completions", body, signal);
  for await (const text of eventsOf(response)) {
    if (text === "[DONE]") return;
    const chunk = JSON.parse(text);
    if (chunk.error) throw new ApiError(chunk.error.message, {code: chunk.error.code});
    yield chunk;
  }
  throw new ApiError("The connection ended before the answer did.", {code: "unreachable"});
}
