/**
 * The front door: every public module by its name. Nobody in here imports it.
 */
export * as Admission from "./Admission.ts"
export * as Aggregate from "./Aggregate.ts"
export * as AggregateHost from "./AggregateHost.ts"
export * as AggregateRuntime from "./AggregateRuntime.ts"
export * as CheckpointStore from "./CheckpointStore.ts"
export * as Command from "./Command.ts"
export * as DeadLetters from "./DeadLetters.ts"
export * as Decision from "./Decision.ts"
export * as Event from "./Event.ts"
export * as EventStore from "./EventStore.ts"
export * as Lease from "./Lease.ts"
export * as Repository from "./Repository.ts"
export * as SnapshotStore from "./SnapshotStore.ts"
export * as Store from "./Store.ts"
export * as ViewStore from "./ViewStore.ts"
export * as Worker from "./Worker.ts"
