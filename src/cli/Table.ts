/**
 * Rows in columns, for people.
 */

/** A column. */
export interface Column {
  readonly title: string
  /** Numbers stand on the right. */
  readonly right?: boolean
}

const gap = "  "

/** The rows below the titles, each column as wide as it must be. Lines have no blanks at their end. */
export const format = (columns: ReadonlyArray<Column>, rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const lines = [columns.map(({ title }) => title), ...rows]
  const widths = columns.map((_, index) => Math.max(...lines.map((cells) => cells[index]!.length)))
  return lines.map((cells) =>
    cells.map((cell, index) =>
      columns[index]!.right === true ? cell.padStart(widths[index]!) : cell.padEnd(widths[index]!)
    )
      .join(gap).trimEnd()
  ).join("\n")
}

/** A text, cut where it is longer. */
export const cut = (text: string, lengthMax: number): string => {
  const characters = [...text]
  return characters.length <= lengthMax ? text : `${characters.slice(0, Math.max(0, lengthMax - 1)).join("")}…`
}

/** A text on one line: what comes from data must not steer a terminal. */
export const plain = (text: string): string =>
  text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0
    return `\\u{${code.toString(16)}}`
  })
