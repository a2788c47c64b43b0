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

test("predictions that are no numbers say so and break nothing", () => {
  for (const none of [NaN, null, undefined, Infinity]) {
    const broken = { ...panel, prediction: [none, none] };
    assert.equal(verdictText({ panel: broken }), "true: positive · predicted: not a number");
    const edited = { label: "lag 3 off", prediction: [none, none], unedited: [0.2, 0.8] };
    assert.equal(
      verdictText({ panel, edited }),
      "true: positive · positive: 0.80 → not a number now not a number lag 3 off",
    );
    const healed = { label: "lag 3 off", prediction: [0.3, 0.3, 0.4], unedited: [none, 0.1, 0.2] };
    assert.equal(
      verdictText({ panel, edited: healed }),
      "true: positive · negative: not a number → 0.30 now class 2 lag 3 off",
    );
    const both = { label: "x", prediction: [none, none], unedited: [none, none] };
    assert.equal(
      verdictText({ panel, edited: both }),
      "true: positive · positive: not a number → not a number x",
    );
  }
  const gone = { label: "lag 3 off", prediction: [], unedited: [0.2, 0.8] };
  assert.equal(verdictText({ panel, edited: gone }), "true: positive · lag 3 off");
});
