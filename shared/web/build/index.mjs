// The Vite settings both user interfaces share. A build leaves in dist/:
// hashed assets, index.html without inline scripts or styles, each text asset
// precompressed as .br and .gz, and .keep, so that Go compiles without Node.
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { licences } from "./licences.mjs";
import { precompress } from "./precompress.mjs";
import { serviceWorker } from "./worker.mjs";

/**
 * @param {{ proxy: string, port: number, firstLoadLimit: number, worker?: string, program?: string }} options proxy is the
 *   address of a running program for `vite dev`; firstLoadLimit is the most
 *   gzip bytes that the first page may take, fonts not counted; worker is the source
 *   of the service worker, if the program has one; program is the Go package whose libraries are named in
 *   dist/licences.json, with those of the pages.
 * @returns {import("vite").UserConfig}
 */
export function userInterface({ proxy, port, firstLoadLimit, worker, program }) {
  return {
    plugins: [
      react(), tailwindcss(),
      ...(worker ? [serviceWorker({ entry: worker })] : []),
      ...(program ? [licences({ program, also: ["tailwindcss", "@fontsource-variable/inter"] })] : []),
      precompress({ firstLoadLimit }),
    ],
    build: {
      target: "es2022",
      // A data: URI would need a wider Content-Security-Policy.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      reportCompressedSize: false,
      chunkSizeWarningLimit: 700,
    },
    server: {
      port,
      strictPort: true,
      proxy: { "/api": { target: proxy, changeOrigin: false }, "/healthz": proxy },
    },
    test: {
      environment: "happy-dom",
      include: ["src/**/*.test.{ts,tsx}"],
      restoreMocks: true,
      unstubGlobals: true,
    },
  };
}
