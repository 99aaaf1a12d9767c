// Writes src/api/schema.d.ts of each user interface from the OpenAPI document
// that its program prints. A document that is not there yet is an error with
// its name, so that a stale schema is never mistaken for a fresh one.
import { existsSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import openapiTS, { astToString } from "openapi-typescript";

const root = new URL("../../../", import.meta.url);
let missing = 0;
for (const program of ["edge", "console"]) {
  const document = new URL(`${program}/web/openapi.json`, root);
  if (!existsSync(document)) {
    console.error(`generate api types: ${program}/web/openapi.json is not there`);
    missing++;
    continue;
  }
  const target = new URL(`${program}/web/src/api/schema.d.ts`, root);
  const source = astToString(await openapiTS(document));
  writeFileSync(target, `// Generated from ${program}/web/openapi.json by npm run generate:api. Not edited by hand.\n\n${source}`);
  console.log(`wrote ${fileURLToPath(target).slice(fileURLToPath(root).length)}`);
}
process.exitCode = missing > 0 ? 1 : 0;
