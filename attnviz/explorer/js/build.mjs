// Bundles src/ into ../explorer.js, which ships beside ../explorer.css.

import { readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));

const HEADER = `// attnviz's sentence explorer. Bundled from js/src by \`npm run build\`: change it there.
// An ES module: \`export default { render }\` for anywidget, \`mount(element, root)\` for a page.`;

/** The files that are shipped, by name: the bundle made anew, and the style sheet as it stands. */
export async function shipped() {
  const { outputFiles } = await build({
    absWorkingDir: here,
    entryPoints: ["src/explorer.js"],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2020",
    charset: "utf8",
    minify: false,
    legalComments: "none",
    banner: { js: HEADER },
  });
  const script = outputFiles[0].text;
  for (const name of ["render", "mount"]) {
    if (!new RegExp(`^function ${name}\\(`, "m").test(script)) {
      throw new Error(`The page calls \`${name}\`, but no function of the bundle's top level is called so.`);
    }
  }
  const style = await readFile(join(here, "..", "explorer.css"), "utf8");
  if (/<\/script/i.test(script) || /<\/style/i.test(style)) {
    throw new Error("The page holds both files inside elements: they must not contain the end tags.");
  }
  return { "explorer.js": script, "explorer.css": style };
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  await writeFile(join(here, "..", "explorer.js"), (await shipped())["explorer.js"]);
}
