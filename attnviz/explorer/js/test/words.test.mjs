import assert from "node:assert/strict";
import { test } from "node:test";
import { piecesOf } from "../src/words.js";
import { HOSTILE, panelOf } from "./fixtures.mjs";
import { wordsOf } from "../src/views.js";

const store = { array: (values) => values };

test("a text falls into words and what stands between them, and nothing is lost", () => {
  const text = " it's, well: good ";
  const offsets = [1, 3, 3, 5, 5, 6, 13, 17];
  assert.deepEqual(piecesOf(text, { n: 4, offsets }), [
    { t: -1, words: " " },
    { t: 0, words: "it" },
    { t: 1, words: "'s" },
    { t: 2, words: "," },
    { t: -1, words: " well: " },
    { t: 3, words: "good" },
    { t: -1, words: " " },
  ]);
  const panel = panelOf({ text: HOSTILE });
  const { offsets: own, words } = wordsOf(panel, store);
  const pieces = piecesOf(HOSTILE, { n: words.length, offsets: own });
  assert.equal(pieces.map((piece) => piece.words).join(""), HOSTILE);
  const read = pieces.filter((piece) => piece.t >= 0);
  assert.deepEqual(
    read.map((piece) => piece.words),
    words,
  );
});

test("a letter that is read twice is shown once", () => {
  const pieces = piecesOf("abcd", { n: 2, offsets: [0, 3, 2, 4] });
  assert.deepEqual(pieces, [
    { t: 0, words: "abc" },
    { t: 1, words: "d" },
  ]);
});
