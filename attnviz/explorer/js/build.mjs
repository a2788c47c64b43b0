// Bundles src/ into the two files that are shipped: ../explorer.js and ../explorer.css.

import { copyFile, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const shipped = join(here, "..");

const HEADER = `// attnviz's sentence explorer. Bundled from js/src by \`npm run build\`: change it there.
// An ES module: \`export default { render }\` for anywidget, \`mount(element, payload)\` for a page.`;

await build({
  absWorkingDir: here,
  entryPoints: ["src/explorer.js"],
  outfile: join(shipped, "explorer.js"),
  bundle: true,
  format: "esm",
  target: "es2020",
  charset: "utf8",
  minify: false,
  legalComments: "none",
  banner: { js: HEADER },
});
await copyFile(join(here, "src", "explorer.css"), join(shipped, "explorer.css"));

const bundle = await readFile(join(shipped, "explorer.js"), "utf8");
for (const name of ["render", "mount"]) {
  if (!new RegExp(`^function ${name}\\(`, "m").test(bundle)) {
    throw new Error(`The page calls the bundle's \`${name}\` by name, but no top-level function has it.`);
  }
}
if (/<\/script/i.test(bundle)) {
  throw new Error("The page holds the bundle inside a script element: it must not contain its end tag.");
}
