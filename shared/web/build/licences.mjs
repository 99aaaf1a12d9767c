import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

/** What licence files are called. */
const licenceFile = /^(licen[cs]e|copying|notice)([.-].*)?$/i;

/**
 * A Vite plugin that writes dist/licences.json: the libraries whose code is in
 * the pages, and those that are in the Go program which serves them, each with
 * the texts of its licence. Texts that are the same are there once.
 *
 * @param {{ program: string, also?: string[] }} options program is the Go package of the program, from the
 *   top of the repository; also are npm packages that leave their mark in styles only.
 * @returns {import("vite").Plugin}
 */
export function licences({ program, also = [] }) {
  /** @type {string} */
  let root;
  return {
    name: "obedio-licences",
    apply: "build",
    configResolved(config) {
      root = config.root;
    },
    generateBundle(_, bundle) {
      const dirs = new Set(also.map((name) => packageDir(root, name)));
      for (const part of Object.values(bundle)) {
        const from = part.type === "chunk" ? Object.keys(part.modules) : part.originalFileNames;
        for (const id of from) {
          const dir = packageOf(resolve(root, id.replace(/^\0/, "")));
          if (dir) dirs.add(dir);
        }
      }
      const texts = [];
      const known = new Map();
      const textsOf = (dir) =>
        readdirSync(dir).filter((name) => licenceFile.test(name)).sort().map((name) => {
          const text = readFileSync(join(dir, name), "utf8").trim();
          if (!known.has(text)) known.set(text, texts.push(text) - 1);
          return known.get(text);
        });
      const pages = [...dirs].map((dir) => {
        const { name, version, license } = JSON.parse(readFileSync(join(dir, "package.json"), "utf8"));
        return { name, version, ...(typeof license === "string" ? { licence: license } : {}), texts: textsOf(dir) };
      });
      const inProgram = goModules(root, program).map(({ name, version, dir }) => {
        const own = textsOf(dir);
        const licence = [...new Set(own.flatMap((i) => nameOf(texts[i]) ?? []))].join(", ");
        return { name, version, ...(licence ? { licence } : {}), texts: own };
      });
      const order = (a, b) => (a.name < b.name ? -1 : 1);
      const source = JSON.stringify({ program: inProgram.sort(order), pages: pages.sort(order), texts });
      this.emitFile({ type: "asset", fileName: "licences.json", source });
    },
  };
}

/** What a licence is called, by words that only it has; Go modules do not say. */
function nameOf(text) {
  const flat = text.replace(/\s+/g, " ");
  if (/Apache License,? Version 2\.0/i.test(flat)) return "Apache-2.0";
  if (/Mozilla Public License,? (Version|v\.) ?2\.0/i.test(flat)) return "MPL-2.0";
  if (flat.includes("Permission is hereby granted, free of charge")) return "MIT";
  if (/Permission to use, copy, modify, and(\/or)? distribute/.test(flat)) return "ISC";
  if (flat.includes("Redistribution and use in source and binary forms")) return /Neither the name/i.test(flat) ? "BSD-3-Clause" : "BSD-2-Clause";
  return undefined;
}

/** The directory of the npm package that a module is of; none for our own. */
function packageOf(id) {
  const at = id.split("?")[0].match(/^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//);
  return at && existsSync(join(at[1], "package.json")) ? at[1] : undefined;
}

function packageDir(root, name) {
  for (let dir = root; ; dir = dirname(dir)) {
    const found = join(dir, "node_modules", name);
    if (existsSync(join(found, "package.json"))) return found;
    if (dirname(dir) === dir) throw new Error(`licences: there is no package ${name}`);
  }
}

/** The modules of other people that are in a Go program, and Go's own library. */
function goModules(root, program) {
  const top = execFileSync("go", ["env", "GOWORK"], { cwd: root, encoding: "utf8" }).trim();
  const go = (...args) => execFileSync("go", args, { cwd: dirname(top), encoding: "utf8", maxBuffer: 1 << 26 });
  const format = "{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Version}}\t{{.Dir}}{{end}}{{end}}";
  const lines = new Set(go("list", "-tags", "nomsgpack", "-deps", "-f", format, program).split("\n").filter(Boolean));
  const [version, goRoot] = go("env", "GOVERSION", "GOROOT").trim().split("\n");
  return [
    { name: "Go", version: version.replace(/^go/, ""), dir: goRoot },
    ...[...lines].map((line) => {
      const [name, at, dir] = line.split("\t");
      return { name, version: at, dir };
    }),
  ];
}
