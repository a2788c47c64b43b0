import assert from "node:assert/strict";
import { test } from "node:test";
import { factsOf, verdictText } from "../src/verdict.js";

const panel = { classes: ["negative", "positive"], label: 1, prediction: [0.18, 0.82] };

test("what is right and what the model says", () => {
  assert.equal(verdictText({ panel }), "true: positive · predicted: positive (0.82)");
  const wrong = { ...panel, label: 0 };
  assert.equal(verdictText({ panel: wrong }), "true: negative · predicted: positive (0.82) ✗ wrong");
  assert.equal(verdictText({ panel: { ...panel, label: -1 } }), "predicted: positive (0.82)");
  assert.equal(verdictText({ panel: { ...panel, prediction: [] } }), "true: positive");
  assert.equal(
    verdictText({ panel: { classes: [], label: 2, prediction: [0.1, 0.7, 0.2] } }),
    "true: class 2 · predicted: class 1 (0.70) ✗ wrong",
  );
});

test("an edit is told against the unedited run on its own path", () => {
  const edited = { label: "lag 3 off", prediction: [0.6, 0.4], unedited: [0.2, 0.8] };
  assert.equal(
    verdictText({ panel, edited }),
    "true: positive · positive: 0.80 → 0.40 (−0.40) now negative lag 3 off",
  );
  const same = { label: "head 0 off", prediction: [0.2, 0.8], unedited: [0.2, 0.8] };
  assert.ok(factsOf({ panel, edited: same }).some(([text]) => text === "(±0)"));
  const tiny = { label: "x", prediction: [0.199999, 0.800001], unedited: [] };
  assert.match(verdictText({ panel: { ...panel, prediction: [0.2, 0.8] }, edited: tiny }), /\(\+1\.0e−6\)/);
});
