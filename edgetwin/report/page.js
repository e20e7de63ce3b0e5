"use strict";
// The page around the charts: theme, and a live run.

function drawAll(figures) {
  figures.forEach((figure, index) => {
    const root = document.getElementById("chart-" + index);
    const old = charts.get(root);
    if (old) old.set(figure); else charts.set(root, new Chart(root, figure));
  });
}

const systemDark = matchMedia("(prefers-color-scheme: dark)");
const button = document.getElementById("theme");
let dark = systemDark.matches;
function theme() {
  document.documentElement.style.colorScheme = dark ? "dark" : "light";
  button.setAttribute("aria-pressed", String(dark));
  redraw();
}
button.hidden = false;
button.setAttribute("aria-pressed", String(dark));
button.addEventListener("click", () => { dark = !dark; theme(); });
systemDark.addEventListener("change", (event) => { dark = event.matches; theme(); });

// A live page: the server sends the sections of the whole run again, thinned, as they change.
function update(message) {
  const main = document.getElementById("sections");
  const titles = message.sections.map((section) => section.title).join("\n");
  if (titles !== update.titles) {
    update.titles = titles;
    charts.clear();
    main.innerHTML = message.sections.map((section) => section.html).join("\n");
    document.getElementById("contents").innerHTML = message.contents;
  } else {
    message.sections.forEach((section, index) => {
      const old = main.children[index];
      const made = document.createRange().createContextualFragment(section.html).firstElementChild;
      // A chart stays, with its zoom; what it says in words is new.
      const part = made.querySelector(".told");
      const place = part ? old.querySelector(".told") : old;
      if (!place.contains(document.activeElement)) place.replaceWith(part ?? made);
    });
  }
  drawAll(message.figures);
}

function live(address) {
  const state = document.getElementById("state");
  const source = new EventSource(address);
  source.addEventListener("open", () => { state.textContent = "live"; });
  source.addEventListener("update", (event) => update(JSON.parse(event.data)));
  source.addEventListener("end", () => { source.close(); state.textContent = "the run has ended"; });
  source.addEventListener("error", () => { if (source.readyState !== 2) state.textContent = "connection lost, trying again"; });
}

drawAll(JSON.parse(document.getElementById("figures").textContent));
const address = document.body.dataset.live;
if (address) live(address);
