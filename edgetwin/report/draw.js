"use strict";
// How a chart is drawn on its canvas.

Object.assign(Chart.prototype, {
  draw() {
    const width = this.plot.clientWidth, height = this.plot.clientHeight;
    if (!width || !height) return;
    const scale = window.devicePixelRatio || 1;
    this.canvas.width = width * scale;
    this.canvas.height = height * scale;
    const pen = this.canvas.getContext("2d");
    pen.scale(scale, scale);
    // A canvas knows no custom properties: its colours are those of the elements around it.
    this.ink = getComputedStyle(document.body).color;
    this.quiet = getComputedStyle(this.legend).color;
    this.grid = getComputedStyle(this.plot).borderTopColor;
    pen.font = "12px system-ui, sans-serif";
    pen.lineJoin = "round";
    this.top = 8;
    this.bottom = height - 38;
    this.right = width - 24;
    if (this.figure.kind === "lines") this.drawLines(pen);
    else if (this.figure.kind === "plane") this.drawPlane(pen);
    else this.drawRows(pen, width);
    this.root.dataset.drawn = this.figure.kind;
  },

  drawTime(pen) {
    const [low, high] = this.view();
    pen.fillStyle = this.quiet;
    pen.textBaseline = "top";
    pen.textAlign = "center";
    for (const t of ticks(low, high, (this.right - this.left) / 90)) {
      const x = this.across(t);
      this.rule(pen, x, this.top, x, this.bottom);
      pen.fillText(String(t), x, this.bottom + 5);
    }
    pen.fillText("time (s)", (this.left + this.right) / 2, this.bottom + 21);
    if (shared.cursor !== null && shared.cursor >= low && shared.cursor <= high) {
      pen.strokeStyle = this.ink;
      pen.setLineDash([2, 2]);
      this.stroke(pen, [[this.across(shared.cursor), this.top], [this.across(shared.cursor), this.bottom]]);
      pen.setLineDash([]);
    }
    if (this.drag !== undefined) {
      pen.globalAlpha = 0.15;
      pen.fillStyle = this.ink;
      pen.fillRect(this.drag, this.top, this.dragTo - this.drag, this.bottom - this.top);
      pen.globalAlpha = 1;
    }
  },

  rule(pen, x0, y0, x1, y1) {
    pen.strokeStyle = this.grid;
    pen.lineWidth = 1;
    this.stroke(pen, [[x0, y0], [x1, y1]]);
  },

  stroke(pen, points) {
    pen.beginPath();
    points.forEach(([x, y], i) => (i ? pen.lineTo(x, y) : pen.moveTo(x, y)));
    pen.stroke();
  },

  range() {
    const [low, high] = this.view();
    let least = Infinity, most = -Infinity;
    const see = (value) => {
      if (value === null) return;
      least = Math.min(least, value);
      most = Math.max(most, value);
    };
    for (const line of this.figure.lines) {
      if (this.hidden.has(line.name)) continue;
      const last = Math.min(before(line.x, high) + 1, line.x.length - 1);
      for (let i = Math.max(before(line.x, low), 0); i <= last; i++) see(line.y[i]);
    }
    for (const level of this.figure.levels) if (!this.hidden.has(level.name)) see(level.value);
    if (least > most) return [0, 1];
    const pad = (most - least || Math.abs(most) || 1) * 0.05;
    return [least >= 0 && least - pad < 0 ? 0 : least - pad, most + pad];
  },

  drawLines(pen) {
    const [least, most] = this.range();
    const marks = ticks(least, most, (this.bottom - this.top) / 45);
    const texts = marks.map((value) => amount(value, this.figure.unit, 0));
    this.left = Math.max(...texts.map((text) => pen.measureText(text).width), 20) + 10;
    const up = (value) => this.bottom - (value - least) / (most - least) * (this.bottom - this.top);
    pen.textBaseline = "middle";
    pen.textAlign = "right";
    marks.forEach((value, i) => {
      this.rule(pen, this.left, up(value), this.right, up(value));
      pen.fillStyle = this.quiet;
      pen.fillText(texts[i], this.left - 6, up(value));
    });
    this.drawTime(pen);
    pen.save();
    pen.beginPath();
    pen.rect(this.left, this.top - 2, this.right - this.left, this.bottom - this.top + 4);
    pen.clip();
    pen.lineWidth = 1.6;
    for (const level of this.figure.levels) {
      if (this.hidden.has(level.name)) continue;
      pen.strokeStyle = level.colour;
      pen.setLineDash(level.dash);
      this.stroke(pen, [[this.left, up(level.value)], [this.right, up(level.value)]]);
    }
    for (const line of this.figure.lines) if (!this.hidden.has(line.name)) this.drawLine(pen, line, up);
    pen.restore();
    pen.setLineDash([]);
  },

  drawLine(pen, line, up) {
    const [low, high] = this.view();
    const first = Math.max(before(line.x, low), 0);
    const last = Math.min(before(line.x, high) + 1, line.x.length - 1);
    pen.strokeStyle = pen.fillStyle = line.colour;
    pen.setLineDash(line.dash);
    pen.beginPath();
    let open = false, previous = 0;
    for (let i = first; i <= last; i++) {
      if (line.y[i] === null) { open = false; continue; }
      const x = this.across(line.x[i]), y = up(line.y[i]);
      if (!open) pen.moveTo(x, y);
      else { if (line.step) pen.lineTo(x, previous); pen.lineTo(x, y); }
      open = true;
      previous = y;
    }
    pen.stroke();
    if (last - first < 60) {
      for (let i = first; i <= last; i++) {
        if (line.y[i] === null) continue;
        pen.beginPath();
        pen.arc(this.across(line.x[i]), up(line.y[i]), 2.5, 0, 7);
        pen.fill();
      }
    }
  },

  drawRows(pen, width) {
    const { rows } = this.figure;
    this.left = Math.min(Math.max(...rows.map((name) => pen.measureText(name).width), 20) + 12, width * 0.4);
    pen.textBaseline = "middle";
    pen.textAlign = "right";
    rows.forEach((name, i) => {
      const y = this.top + (i + 0.5) * this.rowHeight();
      this.rule(pen, this.left, y + this.rowHeight() / 2, this.right, y + this.rowHeight() / 2);
      pen.fillStyle = this.ink;
      pen.fillText(name, this.left - 6, y, this.left - 8);
    });
    if (this.figure.kind === "gantt") { this.drawTime(pen); this.drawSpans(pen); } else this.drawBars(pen);
  },

  drawSpans(pen) {
    const { labels, spans } = this.figure;
    spans.forEach(([row, label, start, end], i) => {
      if (this.hidden.has(labels[label].name)) return;
      const x0 = Math.max(this.across(start), this.left), x1 = Math.min(this.across(end), this.right);
      if (x1 < this.left || x0 > this.right) return;
      const height = (this.rowHeight() - 6) / this.lanes.most[row];
      pen.fillStyle = labels[label].colour;
      pen.fillRect(x0, this.top + row * this.rowHeight() + 3 + this.lanes.of[i] * height, Math.max(x1 - x0, 1), Math.max(height - 0.5, 1));
    });
  },

  drawBars(pen) {
    const { bars, rows, groups, unit } = this.figure;
    const seen = bars.filter((bar) => !this.hidden.has(bar.group));
    const ends = seen.flatMap((bar) => [bar.value, bar.low, bar.high]).filter((value) => value !== null);
    const least = Math.min(0, ...ends), most = Math.max(0, ...ends) || 1;
    const along = (value) => this.left + (value - least) / (most - least) * (this.right - this.left);
    pen.textBaseline = "top";
    pen.textAlign = "center";
    for (const value of ticks(least, most, (this.right - this.left) / 90)) {
      this.rule(pen, along(value), this.top, along(value), this.bottom);
      pen.fillStyle = this.quiet;
      pen.fillText(amount(value, SCALED.has(unit) ? unit : "", 0), along(value), this.bottom + 5);
    }
    if (unit) pen.fillText(unit, (this.left + this.right) / 2, this.bottom + 21);
    const thick = (this.rowHeight() - 8) / groups.length;
    for (const bar of seen) {
      if (bar.value === null) continue;
      const turn = groups.findIndex((group) => group.name === bar.group);
      const y = this.top + rows.indexOf(bar.row) * this.rowHeight() + 4 + turn * thick;
      pen.fillStyle = groups[turn].colour;
      pen.fillRect(Math.min(along(0), along(bar.value)), y, Math.abs(along(bar.value) - along(0)), thick - 1);
      if (bar.low === null || bar.high === null) continue;
      pen.strokeStyle = this.ink;
      pen.lineWidth = 1.5;
      this.stroke(pen, [[along(bar.low), y + thick / 2], [along(bar.high), y + thick / 2]]);
      for (const end of [bar.low, bar.high]) this.stroke(pen, [[along(end), y + 2], [along(end), y + thick - 3]]);
    }
  },
});
