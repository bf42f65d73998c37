/**
 * A planted bug: a small edit of the sources that breaks one guarantee, and the test that must notice.
 */
export interface Mutant extends Edit {
  /** The guarantee that it breaks; its number begins the title of the test that must fail. */
  readonly guarantee: string
  /** What is wrong with the mutant, in one sentence. */
  readonly bug: string
  readonly file: string
  /** A second edit, of what has to be moved. */
  readonly also?: Edit
  readonly test: string
  /** A part of the titles of the tests to run. */
  readonly title: string
}

/** An edit of a file. */
export interface Edit {
  /** Text that stands in the file exactly once, and what is put in its place. */
  readonly find: string
  readonly replace: string
}
