import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { build } from "vite";

/**
 * A Vite plugin that bundles a service worker by itself, as dist/sw.js, with
 * the constants SHELL, the addresses of all that a page needs to open without
 * the program, and BUILD, which is another one whenever the shell is.
 *
 * @param {{ entry: string }} options entry is the worker's source, below the root.
 * @returns {import("vite").Plugin}
 */
export function serviceWorker({ entry }) {
  /** @type {import("vite").ResolvedConfig} */
  let config;
  return {
    name: "obedio-service-worker",
    apply: "build",
    configResolved(resolved) {
      config = resolved;
    },
    async writeBundle() {
      const outDir = join(config.root, config.build.outDir);
      const names = readdirSync(outDir, { recursive: true, withFileTypes: true })
        .filter((e) => e.isFile())
        .map((e) => relative(outDir, join(e.parentPath ?? dirname(e.path), e.name)))
        .filter(isShell)
        .sort();
      const hash = createHash("sha256");
      // An asset's name holds its content's hash.
      for (const name of names) hash.update(name).update(name.startsWith("assets/") ? "" : readFileSync(join(outDir, name)));
      await build({
        configFile: false,
        root: config.root,
        logLevel: "warn",
        publicDir: false,
        define: {
          SHELL: JSON.stringify(names.map((name) => (name === "index.html" ? "/" : `/${name}`))),
          BUILD: JSON.stringify(hash.digest("hex").slice(0, 16)),
        },
        build: {
          outDir,
          emptyOutDir: false,
          target: "es2022",
          modulePreload: false,
          reportCompressedSize: false,
          rollupOptions: { input: join(config.root, entry), output: { format: "iife", entryFileNames: "sw.js" } },
        },
      });
    },
  };
}

/** Other alphabets' fonts and what only the system shows are fetched when they are needed. */
function isShell(name) {
  if (name === "index.html" || name === "favicon.svg") return true;
  return name.startsWith("assets/") && (/\.(js|css)$/.test(name) || /latin-wght/.test(name));
}
