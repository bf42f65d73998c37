/**
 * The documents of inline views that this process has seen or written last, as text. What is in here may be wrong, and
 * then the store says so: it is what appends are decided on, and the store compares.
 */

/** Texts by their places, those that were set last at the end. */
export interface InlineTexts {
  readonly byPlace: Map<string, string | undefined>
  characters: number
}

/** A document that is not there is known, too. */
export type Text = string | undefined

const documentsMax = 10_000
const charactersMax = 32 * 1024 * 1024

export const make = (): InlineTexts => ({ byPlace: new Map(), characters: 0 })

export const set = (texts: InlineTexts, place: string, text: Text): void => {
  forget(texts, place)
  texts.byPlace.set(place, text)
  texts.characters += sizeOf(place, text)
  for (const [oldest] of texts.byPlace) {
    if (texts.byPlace.size <= documentsMax && texts.characters <= charactersMax) return
    forget(texts, oldest)
  }
}

export const forget = (texts: InlineTexts, place: string): void => {
  if (!texts.byPlace.has(place)) return
  texts.characters -= sizeOf(place, texts.byPlace.get(place))
  texts.byPlace.delete(place)
}

const sizeOf = (place: string, text: Text): number => place.length + (text?.length ?? 0)
