import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { shipped } from "../build.mjs";

test("what is shipped is what the sources give, byte for byte, every time", async () => {
  const [once, again] = [await shipped(), await shipped()];
  assert.deepEqual(once, again);
  for (const [name, text] of Object.entries(once)) {
    assert.equal(
      readFileSync(new URL(`../../${name}`, import.meta.url), "utf8"),
      text,
      `${name}: npm run build`,
    );
  }
});

test("the bundle fetches nothing, evaluates nothing and writes no markup", async () => {
  const { "explorer.js": script, "explorer.css": style } = await shipped();
  for (const word of [
    "fetch(",
    "XMLHttpRequest",
    "eval(",
    "new Function",
    "innerHTML",
    "document.write",
    "import(",
  ]) {
    assert.ok(!script.includes(word), word);
  }
  const addresses = script.match(/https?:\/\/[^"'`\s]*/g) ?? [];
  assert.deepEqual([...new Set(addresses)], ["http://www.w3.org/2000/svg"]);
  assert.ok(!/url\(|@import/.test(style));
  assert.match(script, /export \{\s*explorer_default as default,\s*mount\s*\};/);
});

test("every rule of the style sheet is under the explorer's class", async () => {
  const { "explorer.css": style } = await shipped();
  const rules = style
    .replace(/\/\*[^]*?\*\//g, "")
    .match(/[^{}]+(?=\{)/g)
    .map((rule) => rule.trim());
  const own = (rule) => /^(\.attnviz\b|\.attnviz-page \.attnviz|body:has\(> \.attnviz-page\))/.test(rule);
  const others = rules.flatMap((rule) => rule.split(/,\s*(?![^(]*\))/)).filter((rule) => !own(rule.trim()));
  assert.deepEqual(
    others.filter((rule) => !/^(@|\d+%$)/.test(rule.trim())),
    [],
  );
});
