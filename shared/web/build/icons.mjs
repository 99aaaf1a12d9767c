// Draws the icons of both user interfaces: node shared/web/build/icons.mjs.
// The shapes are distance functions, so that no drawing program is needed and
// the PNG files can be made again bit by bit.
import { mkdirSync, writeFileSync } from "node:fs";
import { crc32, deflateSync } from "node:zlib";

const accent = [0x2b, 0x97, 0xe9];
const ink = [0x0b, 0x11, 0x20];

const circle = (x, y, r) => (px, py) => Math.hypot(px - x, py - y) - r;
const box = (x, y, w, h, r) => (px, py) => {
  const dx = Math.abs(px - x) - w / 2 + r;
  const dy = Math.abs(py - y) - h / 2 + r;
  return Math.hypot(Math.max(dx, 0), Math.max(dy, 0)) + Math.min(Math.max(dx, dy), 0) - r;
};
// The upper quarter of a ring, with round ends.
const arc = (x, y, radius, width) => (px, py) => {
  const dx = Math.abs(px - x);
  const dy = py - y;
  if (-dy >= dx) return Math.abs(Math.hypot(dx, dy) - radius) - width / 2;
  const end = radius * Math.SQRT1_2;
  return Math.hypot(dx - end, dy + end) - width / 2;
};
const union = (...shapes) => (px, py) => Math.min(...shapes.map((s) => s(px, py)));

const mark = union(circle(0.5, 0.7, 0.09), arc(0.5, 0.7, 0.24, 0.085), arc(0.5, 0.7, 0.42, 0.085));
const grid = union(...[0.35, 0.65].flatMap((x) => [0.35, 0.65].map((y) => box(x, y, 0.22, 0.22, 0.05))));
// Two messages that pass each other.
const arrow = (y, dir) => {
  const tip = 0.5 + dir * 0.28;
  const bar = box(0.5 - dir * 0.04, y, 0.46, 0.085, 0.04);
  const head = (px, py) => {
    const dx = (tip - px) * dir;
    const dy = Math.abs(py - y);
    return Math.abs(dx - dy) * Math.SQRT1_2 - 0.042 + Math.max(0, dy - 0.15) * 2;
  };
  return union(bar, head);
};
const exchange = union(arrow(0.37, 1), arrow(0.63, -1));
const plate = box(0.5, 0.5, 1, 1, 0.22);

function draw(size, figure) {
  const raw = Buffer.alloc((size * 4 + 1) * size);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const [px, py] = [(x + 0.5) / size, (y + 0.5) / size];
      const cover = (shape) => Math.min(1, Math.max(0, 0.5 - shape(px, py) * size));
      const f = cover(figure);
      const at = y * (size * 4 + 1) + 1 + x * 4;
      for (let c = 0; c < 3; c++) raw[at + c] = Math.round(accent[c] * (1 - f) + ink[c] * f);
      raw[at + 3] = Math.round(255 * cover(plate));
    }
  }
  return raw;
}

function png(size, figure) {
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(data.length);
    const sum = Buffer.alloc(4);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, sum]);
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(size, 0);
  head.writeUInt32BE(size, 4);
  head.set([8, 6, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk("IHDR", head),
    chunk("IDAT", deflateSync(draw(size, figure), { level: 9 })),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

const quarter = (r) => {
  const e = (r * Math.SQRT1_2).toFixed(2);
  return `M${(32 - e).toFixed(2)} ${(44.8 - e).toFixed(2)}a${r} ${r} 0 0 1 ${(2 * e).toFixed(2)} 0`;
};
const favicon = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><rect width="64" height="64" rx="14" fill="#2b97e9"/><circle cx="32" cy="44.8" r="5.8" fill="#0b1120"/><path d="${quarter(15.4)}${quarter(26.9)}" fill="none" stroke="#0b1120" stroke-width="5.4" stroke-linecap="round"/></svg>\n`;

const root = new URL("../../../", import.meta.url);
for (const [program, icons] of [
  ["edge", { "icon-192": [192, mark], "icon-512": [512, mark], devices: [96, grid], traffic: [96, exchange] }],
  ["console", { "icon-192": [192, mark], "icon-512": [512, mark] }],
]) {
  mkdirSync(new URL(`${program}/web/public/icons/`, root), { recursive: true });
  writeFileSync(new URL(`${program}/web/public/favicon.svg`, root), favicon);
  for (const [name, [size, figure]] of Object.entries(icons)) {
    writeFileSync(new URL(`${program}/web/public/icons/${name}.png`, root), png(size, figure));
  }
}
