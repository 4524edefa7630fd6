// Memory as planned and as taken, and the speed of the last answer. The server is asked for its memory only while the
// panel is seen.
import {getJson} from "./api.js";
import {byId, element} from "./dom.js";

const kPollMs = 3000;
const kMaxPollMs = 60000;
const kUnits = ["B", "KiB", "MiB", "GiB", "TiB"];

export function formatBytes(bytes) {
  let unit = 0;
  let value = bytes;
  for (; value >= 1024 && unit < kUnits.length - 1; ++unit) value /= 1024;
  return `${unit === 0 ? value : value.toFixed(1)} ${kUnits[unit]}`;
}

export function formatRate(perSecond) {
  return `${perSecond >= 100 ? Math.round(perSecond) : perSecond.toFixed(1)} tok/s`;
}

const percent = (part, whole) => `${whole > 0 ? Math.min(100, (100 * part) / whole) : 0}%`;

function share(className, part, whole) {
  const node = element("span", {class: className});
  node.style.width = percent(part, whole);
  return node;
}

function figure(name, value) {
  return element("div", {}, element("dt", {}, name), element("dd", {}, value));
}

function showClasses(classes) {
  const largest = Math.max(...classes.map((each) => each.plan_bytes), 1);
  byId("memory").tBodies[0].replaceChildren(...classes.map(({name, plan_bytes: plan, actual_bytes: actual}) =>
    element("tr", {},
      element("th", {scope: "row"}, name, element("span", {class: "bars", "aria-hidden": "true"},
        share("plan", plan, largest), share("actual", actual, largest))),
      element("td", {}, actual > 0 ? formatBytes(actual) : "–"),
      element("td", {}, formatBytes(plan)))));
}

function showTotal({plan_bytes: plan, budget_bytes: budget, peak_resident_bytes: peak}) {
  byId("memory-summary").replaceChildren(element("strong", {}, formatBytes(plan)), ` planned of a budget of ${formatBytes(budget)}`);
  const peakMark = element("span", {class: "peak"});
  peakMark.style.insetInlineStart = percent(peak, plan);
  const rows = [
    ["plan of budget", element("span", {class: "bars"}, share("actual", plan, budget)), percent(plan, budget)],
    ["peak of plan", element("span", {class: "bars"}, share("actual", peak, plan), peakMark), formatBytes(peak)],
  ];
  byId("memory-total").replaceChildren(...rows.map(([name, bars, value]) =>
    element("p", {}, element("span", {}, name), bars, element("span", {}, value.replace(/(\.\d)\d*%/, "$1%")))));
}

function showExperts(experts) {
  byId("experts").replaceChildren(...(!experts || experts.slots >= experts.total ? [] : [
    figure("Expert slots", `${experts.slots} of ${experts.total}`),
    figure("Found in memory", experts.requested > 0 ? percent(experts.hits, experts.requested).replace(/(\.\d)\d*%/, "$1%") : "–"),
    figure("Read from disk", formatBytes(experts.read_bytes)),
    figure("Waited for disk", `${experts.wait_seconds.toFixed(1)} s`),
  ]));
}

export function showSpeed(figures) {
  const cached = figures?.cached ? `, ${figures.cached} cached` : "";
  byId("speed").replaceChildren(
    figure("Prefill", figures?.prefillPerSecond ? formatRate(figures.prefillPerSecond) : "–"),
    figure("Decode", figures?.decodePerSecond ? formatRate(figures.decodePerSecond) : "–"),
    figure("Prompt", figures?.prompt ? `${figures.prompt} tokens${cached}` : "–"),
    figure("Answer", figures?.completion ? `${figures.completion} tokens` : "–"),
    figure("First token", figures?.firstSeconds ? `${figures.firstSeconds.toFixed(2)} s` : "–"));
}

export function showContext(nUsed, nMax) {
  const meter = byId("context");
  meter.hidden = !nMax;
  meter.max = nMax || 1;
  meter.value = nUsed;
  byId("context-text").textContent = nMax ? `${nUsed.toLocaleString("en")} of ${nMax.toLocaleString("en")} tokens` : "";
}

export class MemoryPoll {
  constructor() {
    this.timer = null;
    this.delayMs = kPollMs;
    this.isPolling = false;
    document.addEventListener("visibilitychange", () => this.update());
  }

  get isSeen() {
    return !byId("engine").hidden && document.visibilityState === "visible";
  }

  // To be called when the panel opens or closes.
  update() {
    clearTimeout(this.timer);
    if (this.isSeen && !this.isPolling) this.poll();
  }

  async poll() {
    this.isPolling = true;
    try {
      const memory = await getJson("memory");
      showTotal(memory);
      showClasses(memory.classes);
      showExperts(memory.experts);
      this.delayMs = kPollMs;
    } catch (error) {
      byId("memory-summary").textContent = error.message;
      this.delayMs = Math.min(2 * this.delayMs, kMaxPollMs);
    }
    this.isPolling = false;
    if (this.isSeen) this.timer = setTimeout(() => this.update(), this.delayMs);
  }
}
