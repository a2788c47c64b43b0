// Whose key it is: the explorer's or the notebook's around it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { actionOf, isOwnKey } from "../src/keys.js";

test("keys that do nothing here are the notebook's, letters are not", () => {
  const key = (name, more = {}) => ({ key: name, getModifierState: () => false, ...more });
  for (const name of ["h", "d", "ArrowUp", "Escape", "Enter"]) assert.ok(isOwnKey(key(name), false), name);
  for (const modifier of ["ctrlKey", "metaKey", "altKey"]) {
    for (const name of ["s", "h", "Enter", "x", "C"]) {
      assert.ok(!isOwnKey(key(name, { [modifier]: true }), false), name);
    }
    assert.ok(!isOwnKey(key("s", { [modifier]: true }), true));
    assert.ok(isOwnKey(key("ArrowLeft", { [modifier]: true }), true));
  }
  assert.ok(isOwnKey(key("a", { ctrlKey: true }), true) && isOwnKey(key("Enter", { shiftKey: true }), true));
  assert.ok(!isOwnKey(key("Enter", { shiftKey: true }), false) && !isOwnKey(key("F2"), true));
  assert.ok(isOwnKey(key("@", { ctrlKey: true, altKey: true, getModifierState: () => true }), true));
});

test("keys walk in the words only, and never while something is typed", () => {
  const event = (key, inside, more = {}) => ({
    key,
    target: { closest: (what) => inside.some((one) => what.includes(one)) || null },
    ...more,
  });
  assert.equal(actionOf(event("ArrowRight", [".av-words"])), "after");
  assert.equal(actionOf(event("ArrowRight", [])), null);
  assert.equal(actionOf(event("h", [])), "head");
  assert.equal(actionOf(event("h", ["textarea"])), null);
  assert.equal(actionOf(event("h", [".av-words"], { ctrlKey: true })), null);
  assert.equal(actionOf(event("x", [".av-words"])), null);
});
