"use strict";
// A figure over two axes of named steps: cells coloured by the logarithm of their value, the border
// of what is allowed, and named points.

const RAMP = ["#fde725", "#5ec962", "#21918c", "#3b528b", "#440154"];

// The colour at a share from 0 to 1 of the ramp.
function ramp(share) {
  const at = Math.min(Math.max(share, 0), 1) * (RAMP.length - 1);
  const i = Math.min(Math.floor(at), RAMP.length - 2);
  const [a, b] = [RAMP[i], RAMP[i + 1]].map((hex) => [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16)));
  return "rgb(" + a.map((value, k) => Math.round(value + (b[k] - value) * (at - i))).join(",") + ")";
}

Object.assign(Chart.prototype, {
  cell() {
    const { rows, columns } = this.figure;
    return [(this.right - this.left) / columns.length, (this.bottom - this.top) / rows.length];
  },

  drawPlane(pen) {
    const { rows, columns, values, border, marks, x_name: across, y_name: up, unit } = this.figure;
    this.left = Math.min(Math.max(...rows.map((name) => pen.measureText(name).width), 20) + 12, this.right * 0.4);
    const [wide, high] = this.cell();
    const known = values.flat().filter((value) => value !== null && value > 0).map(Math.log);
    const [least, most] = [Math.min(...known), Math.max(...known)];
    values.forEach((row, r) => row.forEach((value, c) => {
      if (value === null) return;
      pen.fillStyle = ramp(value > 0 && most > least ? (Math.log(value) - least) / (most - least) : 0);
      pen.fillRect(this.left + c * wide, this.bottom - (r + 1) * high, wide + 0.5, high + 0.5);
    }));
    pen.fillStyle = this.quiet;
    pen.textBaseline = "middle";
    pen.textAlign = "right";
    rows.forEach((name, r) => pen.fillText(name, this.left - 6, this.bottom - (r + 0.5) * high, this.left - 8));
    pen.textBaseline = "top";
    pen.textAlign = "center";
    const every = Math.ceil(Math.max(...columns.map((name) => pen.measureText(name).width)) / wide + 0.2);
    columns.forEach((name, c) => { if (c % every === 0) pen.fillText(name, this.left + (c + 0.5) * wide, this.bottom + 5); });
    pen.fillText(across + " →, " + up + " ↑, " + unit, (this.left + this.right) / 2, this.bottom + 21);
    for (const [colour, width] of [["#000000", 5], ["#ffffff", 2.5]]) {
      pen.strokeStyle = colour;
      pen.lineWidth = width;
      for (const [x0, y0, x1, y1] of border) {
        this.stroke(pen, [[this.left + x0 * wide, this.bottom - y0 * high], [this.left + x1 * wide, this.bottom - y1 * high]]);
      }
    }
    this.drawMarks(pen, marks, wide, high);
  },

  // Marks of one cell stand side by side.
  drawMarks(pen, marks, wide, high) {
    const seen = marks.filter((mark) => !this.hidden.has(mark.name));
    const here = new Map();
    for (const mark of seen) {
      const key = mark.column + " " + mark.row;
      here.set(key, [...(here.get(key) ?? []), mark]);
    }
    for (const group of here.values()) group.forEach((mark, i) => {
      const x = this.left + (mark.column + (i + 1) / (group.length + 1)) * wide;
      pen.beginPath();
      pen.arc(x, this.bottom - (mark.row + 0.5) * high, 5.5, 0, 7);
      pen.fillStyle = mark.colour;
      pen.fill();
      pen.strokeStyle = "#ffffff";
      pen.lineWidth = 2;
      pen.stroke();
    });
    if (this.at) {
      pen.strokeStyle = this.ink;
      pen.lineWidth = 2;
      pen.strokeRect(this.left + this.at[1] * wide, this.bottom - (this.at[0] + 1) * high, wide, high);
    }
  },

  cellLines(row, column) {
    const { rows, columns, values, marks, unit } = this.figure;
    const named = marks.filter((mark) => mark.row === row && mark.column === column).map((mark) => mark.name);
    return [rows[row] + ", " + columns[column], amount(values[row][column], unit), ...named];
  },

  tellCell(row, column) {
    const { rows, columns } = this.figure;
    this.at = [Math.min(Math.max(row, 0), rows.length - 1), Math.min(Math.max(column, 0), columns.length - 1)];
    const [wide, high] = this.cell();
    this.draw();
    this.tell(this.cellLines(...this.at), this.left + (this.at[1] + 0.5) * wide, this.bottom - (this.at[0] + 1) * high);
  },

  pointCell(x, y) {
    const [wide, high] = this.cell();
    const [row, column] = [Math.floor((this.bottom - y) / high), Math.floor((x - this.left) / wide)];
    const { rows, columns } = this.figure;
    if (row < 0 || column < 0 || row >= rows.length || column >= columns.length) this.leave();
    else this.tellCell(row, column);
  },

  keyCell(key) {
    const move = { ArrowUp: [1, 0], ArrowDown: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] }[key];
    if (!move) return false;
    const [row, column] = this.at ?? [-move[0], -move[1]];
    this.tellCell(row + move[0], column + move[1]);
    return true;
  },
});
