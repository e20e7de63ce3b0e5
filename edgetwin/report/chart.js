"use strict";
// A chart that is read by mouse, finger, keyboard and screen reader.

function element(tag, attributes = {}, text = "") {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text) made.textContent = text;
  return made;
}

// Stretches of one row that overlap lie in lanes one below the other: the lane of each, lanes per row.
function lanesOf({ rows, spans }) {
  const ends = rows.map(() => []);
  const of = new Array(spans.length);
  const order = spans.map((_, i) => i).sort((a, b) => spans[a][2] - spans[b][2]);
  for (const i of order) {
    const [row, , start, end] = spans[i];
    const free = ends[row].findIndex((last) => last <= start);
    of[i] = free < 0 ? ends[row].length : free;
    ends[row][of[i]] = end;
  }
  return { of, most: ends.map((lanes) => Math.max(lanes.length, 1)) };
}

const charts = new Map();
const shared = { view: null, cursor: null };  // all charts over time move together
const redraw = () => charts.forEach((chart) => chart.draw());

class Chart {
  constructor(root, figure) {
    this.root = root;
    this.hidden = new Set();
    this.row = 0;
    root.replaceChildren();
    this.tools = element("div", { class: "tools" });
    this.legend = element("div", { class: "legend" });
    this.plot = element("div", { class: "plot", tabindex: "0", role: "application" });
    this.plot.setAttribute("aria-label", figure.title + ": arrow keys read values, plus and minus zoom, 0 resets");
    this.canvas = element("canvas", { "aria-hidden": "true" });
    this.tip = element("output", { class: "tip" });
    this.tip.hidden = true;
    this.plot.append(this.canvas, this.tip);
    root.append(this.tools, this.plot, this.legend);
    this.set(figure);
    this.listen();
    new ResizeObserver(() => this.draw()).observe(this.plot);
  }

  set(figure) {
    this.figure = figure;
    this.timed = figure.kind === "lines" || figure.kind === "gantt";
    if (figure.kind === "gantt") this.lanes = lanesOf(figure);
    const rows = figure.kind === "lines" ? 0 : figure.rows.length;
    const height = figure.kind === "lines" ? 300 : 60 + rows * this.rowHeight();
    this.plot.style.height = height + "px";
    if (this.timed && !this.tools.childElementCount) this.addTools();
    this.addLegend();
    this.draw();
  }

  rowHeight() {
    return this.figure.kind === "bars" ? Math.max(26, 18 * this.figure.groups.length + 8) : 26;
  }

  entries() {
    const { kind } = this.figure;
    if (kind === "lines") {
      const levels = this.figure.levels.map((one) => ({ ...one, label: one.name + " (" + amount(one.value, this.figure.unit) + ")" }));
      return [...this.figure.lines, ...levels];
    }
    return { gantt: this.figure.labels, bars: this.figure.groups, plane: this.figure.marks }[kind];
  }

  addLegend() {
    const entries = this.entries();
    const keys = entries.map((one) => one.label ?? one.name).join("\n");
    if (this.keys === keys) return;
    this.keys = keys;
    this.legend.replaceChildren();
    if (entries.length < 2) return;
    entries.forEach((one) => {
      const name = one.label ?? one.name;
      const button = element("button", { type: "button", "aria-pressed": String(!this.hidden.has(one.name)) });
      const swatch = element("i");
      swatch.style.borderTop = "3px " + (one.dash?.length ? "dashed " : "solid ") + one.colour;
      button.append(swatch, document.createTextNode(name));
      button.addEventListener("click", () => {
        if (!this.hidden.delete(one.name)) this.hidden.add(one.name);
        button.setAttribute("aria-pressed", String(!this.hidden.has(one.name)));
        this.draw();
      });
      this.legend.append(button);
    });
  }

  addTools() {
    for (const [text, name, act] of [["+", "Zoom in", () => this.zoom(0.5)], ["−", "Zoom out", () => this.zoom(2)], ["Reset", "Show all", () => this.reset()]]) {
      const button = element("button", { type: "button", "aria-label": name + " in " + this.figure.title, title: name }, text);
      button.addEventListener("click", act);
      this.tools.append(button);
    }
  }

  extent() {
    let low = Infinity, high = -Infinity;
    if (this.figure.kind === "lines") {
      for (const line of this.figure.lines) {
        if (!line.x.length) continue;
        low = Math.min(low, line.x[0]);
        high = Math.max(high, line.x[line.x.length - 1]);
      }
    } else {
      for (const [, , start, end] of this.figure.spans ?? []) {
        low = Math.min(low, start);
        high = Math.max(high, end);
      }
    }
    return high > low ? [low, high] : isFinite(low) ? [low, low + 1] : [0, 1];
  }

  view() {
    return shared.view ?? this.extent();
  }

  zoom(factor) {
    const [low, high] = this.view();
    const middle = shared.cursor !== null && shared.cursor > low && shared.cursor < high ? shared.cursor : (low + high) / 2;
    this.show(middle - (middle - low) * factor, middle + (high - middle) * factor);
  }

  show(low, high) {
    const [first, last] = this.extent();
    const least = (last - first) * 1e-6;
    low = Math.max(low, first);
    high = Math.min(high, last);
    if (high - low < least) return;
    shared.view = low <= first && high >= last ? null : [low, high];
    redraw();
  }

  reset() {
    shared.view = null;
    redraw();
  }

  listen() {
    const at = (event) => {
      const box = this.canvas.getBoundingClientRect();
      return { x: event.clientX - box.left, y: event.clientY - box.top };
    };
    this.plot.addEventListener("pointermove", (event) => {
      const { x, y } = at(event);
      if (this.drag !== undefined) this.dragTo = x;
      this.point(x, y);
    });
    this.plot.addEventListener("pointerleave", () => this.leave());
    this.plot.addEventListener("blur", () => this.leave());
    this.plot.addEventListener("pointerdown", (event) => {
      if (!this.timed || event.pointerType === "touch" || event.button) return;
      this.plot.setPointerCapture(event.pointerId);
      this.drag = this.dragTo = at(event).x;
    });
    this.plot.addEventListener("pointerup", (event) => {
      if (this.drag === undefined) { const { x, y } = at(event); this.point(x, y); return; }
      const [from, to] = [this.drag, this.dragTo].sort((a, b) => a - b);
      this.drag = this.dragTo = undefined;
      if (to - from > 6) this.show(this.time(from), this.time(to)); else this.draw();
    });
    this.plot.addEventListener("dblclick", () => this.reset());
    this.plot.addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    const [low, high] = this.view();
    const span = high - low;
    const turn = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (this.figure.kind === "plane") {
      if (!this.keyCell(event.key)) return;
    } else if (!this.timed) {
      const move = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (move === undefined) return;
      this.row = Math.min(Math.max((this.row ?? -1) + move, 0), this.figure.rows.length - 1);
      this.tell(this.barLines(this.row), 40, 8 + this.row * this.rowHeight());
    } else if (turn && event.shiftKey) {
      this.show(low + turn * span / 4, high + turn * span / 4);
    } else if (turn) {
      const from = shared.cursor ?? (turn > 0 ? low : high);
      shared.cursor = Math.min(Math.max(from + turn * span / 50, low), high);
      this.read();
    } else if (event.key === "Home" || event.key === "End") {
      shared.cursor = event.key === "Home" ? low : high;
      this.read();
    } else if (event.key === "+" || event.key === "=") this.zoom(0.5);
    else if (event.key === "-") this.zoom(2);
    else if (event.key === "0" || event.key === "Escape") { this.leave(); this.reset(); }
    else return;
    event.preventDefault();
  }

  time(x) {
    const [low, high] = this.view();
    return low + (x - this.left) / (this.right - this.left) * (high - low);
  }

  across(t) {
    const [low, high] = this.view();
    return this.left + (t - low) / (high - low) * (this.right - this.left);
  }

  point(x, y) {
    if (this.timed) {
      if (x < this.left || x > this.right) { this.leave(); return; }
      shared.cursor = this.time(x);
      this.read(y);
      return;
    }
    if (this.figure.kind === "plane") { this.pointCell(x, y); return; }
    const row = Math.floor((y - 8) / this.rowHeight());
    if (row >= 0 && row < this.figure.rows.length) this.tell(this.barLines(row), x, y); else this.leave();
  }

  read(y = 12) {
    redraw();
    const t = shared.cursor;
    const lines = this.figure.kind === "lines" ? this.valuesAt(t) : this.spansAt(t);
    this.tell([format(t, 6) + " s", ...lines], this.across(t), y);
  }

  valuesAt(t) {
    return this.figure.lines.filter((line) => !this.hidden.has(line.name)).map((line) => {
      let i = before(line.x, t);
      if (i >= 0 && line.y[i] === null) return null;
      if (!line.step && i + 1 < line.x.length && (i < 0 || line.x[i + 1] - t < t - line.x[i])) i += 1;
      return i < 0 || line.y[i] === null ? null : line.name + ": " + amount(line.y[i], this.figure.unit);
    }).filter((text) => text !== null);
  }

  spansAt(t) {
    const { rows, labels, spans } = this.figure;
    return spans.filter(([, label, start, end]) => start <= t && t <= end && !this.hidden.has(labels[label].name))
      .map(([row, label, start, end]) => rows[row] + ": " + labels[label].name + ", " + format(start, 6) + " s to " + format(end, 6) + " s");
  }

  barLines(row) {
    const name = this.figure.rows[row];
    return [name, ...this.figure.bars.filter((bar) => bar.row === name && !this.hidden.has(bar.group)).map((bar) => {
      const range = bar.low === null || bar.high === null ? "" : " (" + format(bar.low) + " to " + format(bar.high) + ")";
      return (bar.group ? bar.group + ": " : "") + amount(bar.value, this.figure.unit) + range;
    })];
  }

  tell(lines, x, y) {
    const many = lines.length > 15 ? [...lines.slice(0, 14), "and " + (lines.length - 14) + " more"] : lines;
    this.tip.textContent = many.join("\n");
    this.tip.hidden = false;
    const width = this.tip.offsetWidth, space = this.plot.clientWidth;
    this.tip.style.left = Math.max(0, x + 14 + width > space ? x - width - 14 : x + 14) + "px";
    this.tip.style.top = Math.max(0, Math.min(y, this.plot.clientHeight - this.tip.offsetHeight)) + "px";
  }

  leave() {
    this.tip.hidden = true;
    if (this.at) { this.at = null; this.draw(); }
    if (shared.cursor === null) return;
    shared.cursor = null;
    redraw();
  }

}
