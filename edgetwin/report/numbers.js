"use strict";
// Numbers as people read them, and where they lie on an axis.

const format = (value, digits = 4) => {
  if (value === null || !isFinite(value)) return "–";
  const size = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)));
  if (size >= 7 || size < -4) return value.toExponential(digits - 1);
  return value.toFixed(Math.max(digits - 1 - size, 0));
};
const PREFIXES = [[1e9, "G"], [1e6, "M"], [1e3, "k"]];
const SCALED = new Set(["Hz", "1/s", "B", "instructions/s", "B/s"]);

// A number with its unit; large ones of units that take a prefix get one.
function amount(value, unit, digits = 4) {
  if (value === null || !isFinite(value)) return "–";
  const [size, prefix] = SCALED.has(unit) ? PREFIXES.find(([least]) => Math.abs(value) >= least) ?? [1, ""] : [1, ""];
  const text = digits ? format(value / size, digits) : String(Number((value / size).toPrecision(6)));
  return text + (unit ? " " + prefix + unit : "");
}

function niceStep(span, most) {
  const raw = span / Math.max(most, 1);
  const size = 10 ** Math.floor(Math.log10(raw));
  return size * ([1, 2, 5, 10].find((k) => k * size >= raw) ?? 10);
}

function ticks(low, high, most) {
  if (!(high > low)) return [low];
  const step = niceStep(high - low, most);
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) {
    found.push(Number((k * step).toPrecision(12)));
  }
  return found;
}

// Index of the last x at or before t, -1 where there is none; x ascends.
function before(x, t) {
  let low = 0, high = x.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (x[middle] <= t) low = middle + 1; else high = middle;
  }
  return low - 1;
}
