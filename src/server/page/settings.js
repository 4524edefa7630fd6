// The settings form: kept in the browser's storage, read into the fields of a request.
import {byId} from "./dom.js";

const kSettings = "paro.settings";
const kNumbers = ["temperature", "top_p", "top_k", "min_p", "max_tokens", "seed"];
const kExampleTool = {
  type: "function",
  function: {
    name: "get_time",
    description: "Get the local time of a city",
    parameters: {type: "object", properties: {city: {type: "string", description: "Name of the city"}}, required: ["city"]},
  },
};

const form = byId("options");
const fields = [...form.elements].filter((field) => field.name);

// A list of tools, or one; bare function objects are taken for tools. Throws with what is wrong.
export function parseTools(text) {
  if (!text.trim()) return [];
  const value = JSON.parse(text);
  const tools = (Array.isArray(value) ? value : [value]).map((tool) => (tool?.name ? {type: "function", function: tool} : tool));
  for (const [i, tool] of tools.entries())
    if (typeof tool?.function?.name !== "string") throw new Error(`tool ${i + 1} has no function with a name`);
  return tools;
}

function checkTools() {
  const message = byId("tools-error");
  const field = form.elements.tools;
  let problem = "";
  try {
    parseTools(field.value);
  } catch (error) {
    problem = `Not usable: ${error.message}`;
  }
  message.textContent = problem;
  message.hidden = problem === "";
  field.setCustomValidity(problem);
  field.setAttribute("aria-invalid", String(problem !== ""));
}

function save() {
  checkTools();
  const settings = Object.fromEntries(fields.filter((field) => field.value !== "").map((field) => [field.name, field.value]));
  localStorage.setItem(kSettings, JSON.stringify(settings));
}

export function startSettings() {
  let settings = {};
  try {
    settings = JSON.parse(localStorage.getItem(kSettings)) ?? {};
  } catch {
    // What is stored is not ours; the form starts empty.
  }
  for (const field of fields) if (typeof settings[field.name] === "string") field.value = settings[field.name];
  checkTools();
  form.addEventListener("input", save);
  form.addEventListener("submit", (event) => event.preventDefault());
  byId("reset-settings").addEventListener("click", () => {
    form.reset();
    save();
  });
  byId("example-tool").addEventListener("click", () => {
    const field = form.elements.tools;
    let tools = [];
    try {
      tools = parseTools(field.value);
    } catch {
      return field.focus();  // what is wrong is said beside it
    }
    field.value = JSON.stringify([...tools, kExampleTool], null, 2);
    save();
  });
}

// What holds where a field is empty, shown in its place.
export function showDefaults(defaults) {
  for (const name of ["temperature", "top_p", "top_k", "min_p"])
    if (typeof defaults[name] === "number") form.elements[name].placeholder = String(Number(defaults[name].toPrecision(4)));
}

// The field that cannot be sent as it is, or undefined.
export function invalidField() {
  return fields.find((field) => !field.checkValidity());
}

export function systemPrompt() {
  return form.elements.system.value.trim();
}

export function requestFields() {
  const body = {};
  for (const name of kNumbers) if (form.elements[name].value !== "") body[name] = form.elements[name].valueAsNumber;
  const stop = form.elements.stop.value.split("\n").filter((line) => line !== "");
  if (stop.length > 0) body.stop = stop;
  const tools = parseTools(form.elements.tools.value);
  if (tools.length > 0) body.tools = tools;
  const thinking = form.elements.thinking.value;
  if (thinking) body.chat_template_kwargs = {enable_thinking: thinking === "on"};
  return body;
}
