/**
 * Filling a view: events are routed to the documents that they are for, missing documents are read at once, handlers run
 * one after the other on what is in memory, and each document that has become another one is encoded once and written
 * with the others.
 */
import { Effect, Result } from "effect"
import { refuseName } from "../Admission.ts"
import type { Position, PureCodec, Stored } from "../Event.ts"
import type { StoreUnavailable } from "../EventStore.ts"
import type { Change, Source } from "../ProjectionHost.ts"
import type { DocumentChange, ViewId, ViewStore } from "../ViewStore.ts"
import { type Applied, type Applier, type Failure, handlerFailed, undecodable, Unfit } from "./applier.ts"
import type { Delivery } from "./delivery.ts"
import * as DocumentCache from "./documentCache.ts"
import * as DocumentForm from "./documentForm.ts"
import { isOwn, type Share } from "./partitions.ts"
import * as Routing from "./routing.ts"
import * as ViewDocuments from "./viewDocuments.ts"

/** What is to be filled, and which part of it. */
export interface Options {
  readonly view: ViewId
  readonly store: ViewStore["Service"]
  readonly document: PureCodec
  readonly sources: ReadonlyArray<Source>
  readonly share: Share
  readonly cachedDocuments: number
  /** Is told what was kept, if anybody listens. */
  readonly publish: (changes: ReadonlyArray<Change<unknown>>) => void
  readonly isWatched: () => boolean
}

/** One event at one document. */
interface Step {
  readonly cached: DocumentCache.Cached
  readonly handle: Routing.Case["handle"]
  readonly delivery: Delivery
  /** Which of the events that are being applied. */
  readonly index: number
}

/** The way of events to documents. */
interface Gathered {
  readonly steps: Array<Step>
  readonly missing: Array<DocumentCache.Cached>
  /** How many events were routed, and why the next one could not be. */
  count: number
  failure: Failure | undefined
}

export const make = (options: Options): Applier => {
  const { cachedDocuments, document, publish, sources, view } = options
  const routing = Routing.make(view.name, sources)
  const form = DocumentForm.make(document)
  const cache = DocumentCache.make(cachedDocuments)
  let touched = new Set<DocumentCache.Cached>()
  let position: Position = 0n

  const drop = () => {
    for (const cached of touched) cached.document = cached.committed
    touched = new Set()
  }
  const finish = (events: ReadonlyArray<Stored>, gathered: Gathered): Effect.Effect<Applied, Unfit> => {
    run(form, gathered, touched)
    position = gathered.count === 0 ? position : events[gathered.count - 1]!.position
    return Effect.map(Effect.fromResult(encode(form, cache, touched)), (changes) => ({
      count: gathered.count,
      failure: gathered.failure,
      work: changes.length === 0 ? Effect.void : write(options, changes)
    }))
  }
  return {
    storedTypes: routing.storedTypes,
    apply: (events) =>
      Effect.suspend(() => {
        drop()
        const gathered = gather(routing, cache, options.share, events)
        return gathered.missing.length === 0
          ? finish(events, gathered)
          : Effect.flatMap(load(options, form, cache, gathered.missing), () => finish(events, gathered))
      }),
    keep: () => {
      if (options.isWatched()) publish(changesOf(form, touched, position))
      for (const cached of touched) cached.committed = cached.document
      touched = new Set()
      DocumentCache.trim(cache)
    },
    drop,
    touched: () =>
      [...touched].filter(isChanged).map(({ committed, document, key, tenant }) => ({
        tenant,
        key,
        before: form.open(committed),
        after: form.open(document)
      })),
    isAtomic: false,
    begin: () => {},
    forget: () => {
      touched = new Set()
      DocumentCache.clear(cache)
    }
  }
}

/** Which documents the events are for. Ends at the first event of which that cannot be said. */
const gather = (
  routing: Routing.Routing,
  cache: DocumentCache.DocumentCache,
  share: Share,
  events: ReadonlyArray<Stored>
): Gathered => {
  const gathered: Gathered = { steps: [], missing: [], count: 0, failure: undefined }
  const { missing, steps } = gathered
  const add = (handle: Routing.Case["handle"], delivery: Delivery, key: string) => {
    if (!isOwn(share, delivery.tenant, key)) return
    const cached = DocumentCache.find(cache, delivery.tenant, key)
    if (!cached.loaded) missing.push(cached)
    steps.push({ cached, handle, delivery, index: gathered.count })
  }
  const visit = ({ handle, key }: Routing.Case, delivery: Delivery) => {
    if (key === undefined) return add(handle, delivery, delivery.id)
    const keys = key(delivery.event, delivery)
    if (keys === undefined) return
    // A document is given an event once, however often it is named.
    for (const each of typeof keys === "string" ? [keys] : new Set(keys)) add(handle, delivery, checked(each))
  }
  for (const stored of events) {
    const before = steps.length
    try {
      const why = Routing.route(routing, stored, visit)
      gathered.failure = why && undecodable(why)
    } catch (error) {
      gathered.failure = handlerFailed(error)
    }
    if (gathered.failure !== undefined) {
      steps.length = before
      return gathered
    }
    gathered.count++
  }
  return gathered
}

const checked = (key: string): string => {
  const refusal = refuseName("the key of a document", key)
  if (refusal !== undefined) throw refusal
  return key
}

const readAtOnce = 1_000

/** Reads documents that are not in memory; several events may miss the same one. */
const load = Effect.fnUntraced(function*(
  { store, view }: Options,
  form: DocumentForm.DocumentForm,
  cache: DocumentCache.DocumentCache,
  missing: ReadonlyArray<DocumentCache.Cached>
): Effect.fn.Return<void, StoreUnavailable> {
  const wanted = [...new Set(missing)]
  for (let from = 0; from < wanted.length; from += readAtOnce) {
    const part = wanted.slice(from, from + readAtOnce)
    const found = yield* store.read(view, part.map(({ key, tenant }) => ({ tenant, key })))
    const byName = new Map(found.map(({ document, key, tenant }) => [`${tenant}\0${key}`, document]))
    for (const cached of part) {
      const text = byName.get(`${cached.tenant}\0${cached.key}`)
      const read = text === undefined ? Result.succeed(undefined) : form.read(text)
      cached.loaded = true
      DocumentCache.measure(cache, cached, text?.length ?? 0)
      cached.problem = Result.isFailure(read)
        ? `its document "${cached.key}" cannot be read: ${read.failure}. ${ViewDocuments.mended(view.version)}`
        : undefined
      cached.committed = cached.document = Result.isSuccess(read) ? read.success : undefined
    }
  }
})

/** Runs the handlers, up to the first event that one of them fails at: of that one nothing stays. */
const run = (form: DocumentForm.DocumentForm, gathered: Gathered, touched: Set<DocumentCache.Cached>): void => {
  const { steps } = gathered
  for (let at = 0; at < steps.length; at++) {
    const { cached, delivery, handle, index } = steps[at]!
    try {
      if (cached.problem !== undefined) throw new Error(cached.problem)
      const next = keep(form, cached, handle(form.open(cached.document), delivery.event, delivery))
      if (next === cached.document) continue
      cached.document = next
      touched.add(cached)
    } catch (error) {
      gathered.failure = handlerFailed(error)
      gathered.count = index
      return rerun(form, steps, touched, index)
    }
  }
}

/** As the store will have it: the next event finds the same, whether it comes in this batch or after a restart. */
const keep = (form: DocumentForm.DocumentForm, { document, key }: DocumentCache.Cached, made: unknown): unknown => {
  if (made === undefined) return undefined
  const kept = form.keep(made, document)
  if (Result.isFailure(kept)) throw new TypeError(`document "${key}" cannot be kept: ${kept.failure}`)
  return kept.success
}

/** What an event did before it failed is undone by doing again what came before it: it happens hardly ever. */
const rerun = (
  form: DocumentForm.DocumentForm,
  steps: ReadonlyArray<Step>,
  touched: Set<DocumentCache.Cached>,
  count: number
): void => {
  for (const cached of touched) cached.document = cached.committed
  for (const { cached, delivery, handle, index } of steps) {
    if (index >= count) return
    cached.document = keep(form, cached, handle(form.open(cached.document), delivery.event, delivery))
  }
}

/** What becomes of the documents that have become others, or why one cannot be kept. */
const encode = (
  form: DocumentForm.DocumentForm,
  cache: DocumentCache.DocumentCache,
  touched: ReadonlySet<DocumentCache.Cached>
): Result.Result<ReadonlyArray<DocumentChange>, Unfit> => {
  const changes: Array<DocumentChange> = []
  for (const cached of touched) {
    const { document, key, tenant } = cached
    if (!isChanged(cached)) continue
    const text = document === undefined ? Result.succeed(undefined) : form.write(document)
    if (Result.isFailure(text)) {
      return Result.fail(new Unfit({ error: `document "${key}" cannot be kept: ${text.failure}` }))
    }
    DocumentCache.measure(cache, cached, text.success?.length ?? 0)
    changes.push({ tenant, key, document: text.success })
  }
  return Result.succeed(changes)
}

const write = ({ store, view }: Options, changes: ReadonlyArray<DocumentChange>) =>
  Effect.catchTags(store.write(view, changes), {
    InputInvalid: ({ message }) => Effect.fail(new Unfit({ error: message })),
    LimitExceeded: ({ message }) => Effect.fail(new Unfit({ error: message }))
  })

const isChanged = ({ committed, document }: DocumentCache.Cached): boolean => document !== committed

const changesOf = (
  form: DocumentForm.DocumentForm,
  touched: ReadonlySet<DocumentCache.Cached>,
  position: Position
): ReadonlyArray<Change<unknown>> =>
  [...touched].filter(isChanged).map(({ document, key, tenant }) => ({
    tenant,
    key,
    document: form.open(document),
    position
  }))
