// Light, dark, or as the system has it.
import {announce, byId, icon} from "./dom.js";

const kTheme = "paro.theme";
const kThemes = ["system", "light", "dark"];

function show(theme) {
  document.documentElement.dataset.theme = theme;
  const button = byId("theme");
  const label = `Colours: ${theme === "system" ? "as the system" : theme}`;
  button.title = label;
  button.setAttribute("aria-label", label);
  button.replaceChildren(icon(theme));
  return label;
}

export function startTheme() {
  const saved = localStorage.getItem(kTheme);
  show(kThemes.includes(saved) ? saved : "system");
  byId("theme").addEventListener("click", () => {
    const at = kThemes.indexOf(document.documentElement.dataset.theme);
    const theme = kThemes[(at + 1) % kThemes.length];
    localStorage.setItem(kTheme, theme);
    announce(show(theme));
  });
}
