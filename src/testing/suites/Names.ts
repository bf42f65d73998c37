/**
 * Names as no application would choose them: odd ones that every store must keep, and those that none may be given.
 */

/** Each is a name of its own, and none reaches into anything. */
export const odd = [
  "O'Neil",
  "'; DROP TABLE events; --",
  "\"quoted\"",
  "100%",
  "_",
  "a/b\\c",
  "../../etc/passwd",
  "a:b",
  "a",
  "b:a",
  "A",
  " a",
  "a ",
  "line\nbreak",
  "tab\tulator",
  "\u0001\u001f\u007f",
  "__proto__",
  "constructor",
  "toString",
  "null",
  "undefined",
  "0",
  "1e3",
  "é",
  "e\u0301",
  "ß",
  "SS",
  "日本語",
  "👩‍👩‍👧",
  "\u202Eright to left",
  "\uFEFFmark",
  "\uFFFD",
  "\uFFFF",
  "$1",
  "{}",
  "[\"a\",\"b\"]"
]

/** What is no name, however it is looked at. */
export const malformed = ["", "\0", "a\0b", "\uD800", "a\uDC00", "\uDC00\uD800", "a\uD83D"]

/** In the order of code points; the order of UTF-16 would put "𝒳" before "\uE000", that of a language "B" after "a". */
export const ordered = [
  "!",
  "A",
  "A!",
  "AA",
  "Az",
  "B",
  "a",
  "a\u0301",
  "b",
  "z",
  "\u00E1",
  "\u0301",
  "\uE000",
  "\uFFFD",
  "𝒳",
  "😀"
]
