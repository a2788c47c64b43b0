import js from "@eslint/js";
import globals from "globals";

export default [
  js.configs.recommended,
  {
    files: ["src/**/*.js"],
    languageOptions: { globals: globals.browser },
  },
  {
    files: ["**/*.mjs"],
    languageOptions: { globals: globals.node },
  },
  {
    rules: {
      eqeqeq: "error",
      "no-var": "error",
      "prefer-const": "error",
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-new-func": "error",
      "max-len": ["error", { code: 110, ignoreUrls: true, ignoreRegExpLiterals: true }],
      "no-restricted-properties": [
        "error",
        { property: "innerHTML", message: "Texts are other people's: build elements." },
        { property: "outerHTML", message: "Texts are other people's: build elements." },
        { property: "insertAdjacentHTML", message: "Texts are other people's: build elements." },
      ],
      "max-lines": ["error", 280],
      "max-params": ["error", 6],
    },
  },
];
