import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, extname, join, relative } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const compressible = new Set([".css", ".html", ".js", ".json", ".map", ".svg", ".txt", ".webmanifest"]);
// Below this a compressed copy saves nothing on the wire.
const smallest = 512;

/**
 * A Vite plugin that, after the bundle is written, restores dist/.keep, writes
 * a .br and a .gz beside every compressible file, prints the sizes and fails
 * the build when the first load is above its limit or index.html carries
 * inline code that the Content-Security-Policy would block.
 *
 * @param {{ firstLoadLimit: number }} options
 * @returns {import("vite").Plugin}
 */
export function precompress({ firstLoadLimit }) {
  /** @type {string} */
  let outDir;
  return {
    name: "obedio-precompress",
    apply: "build",
    enforce: "post",
    configResolved(config) {
      outDir = join(config.root, config.build.outDir);
    },
    closeBundle(error) {
      if (error || !existsSync(join(outDir, "index.html"))) return;
      writeFileSync(join(outDir, ".keep"), "");
      const sizes = new Map();
      for (const file of files(outDir)) {
        const raw = readFileSync(file);
        if (raw.length < smallest || !compressible.has(extname(file))) continue;
        const gz = gzipSync(raw, { level: 9 });
        const br = brotliCompressSync(raw, {
          params: {
            [constants.BROTLI_PARAM_QUALITY]: 11,
            [constants.BROTLI_PARAM_SIZE_HINT]: raw.length,
          },
        });
        writeFileSync(`${file}.gz`, gz);
        writeFileSync(`${file}.br`, br);
        sizes.set(relative(outDir, file), { raw: raw.length, gz: gz.length, br: br.length });
      }
      const html = readFileSync(join(outDir, "index.html"), "utf8");
      refuseInlineCode(html);
      report(sizes, firstLoad(html, outDir), firstLoadLimit);
    },
  };
}

function files(dir) {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((e) => e.isFile() && ![".br", ".gz"].includes(extname(e.name)))
    .map((e) => join(e.parentPath ?? dirname(e.path), e.name))
    .sort();
}

function refuseInlineCode(html) {
  if (/<style|<script(?![^>]*\ssrc=)|\sstyle=|\son[a-z]+=/i.test(html)) {
    throw new Error("index.html has inline code or style, which the Content-Security-Policy blocks");
  }
}

// What a browser fetches before it can show a page: the document and all that it names.
function firstLoad(html, outDir) {
  const named = [...html.matchAll(/(?:src|href)="\/([^"]+\.(?:js|css))"/g)].map((m) => m[1]);
  return ["index.html", ...named].map((name) => {
    const gz = join(outDir, `${name}.gz`);
    return { name, gz: statSync(existsSync(gz) ? gz : join(outDir, name)).size };
  });
}

function report(sizes, first, limit) {
  const kB = (n) => `${(n / 1000).toFixed(1)} kB`.padStart(10);
  const lines = [...sizes].map(([name, s]) => `${name.padEnd(44)}${kB(s.raw)}  gzip${kB(s.gz)}  brotli${kB(s.br)}`);
  const total = first.reduce((sum, f) => sum + f.gz, 0);
  lines.push(`first load ${kB(total).trim()} gzip of ${kB(limit).trim()} (${first.map((f) => f.name).join(", ")})`);
  console.log(lines.join("\n"));
  if (total > limit) throw new Error(`the first load is ${total} bytes gzip, more than ${limit}`);
}
