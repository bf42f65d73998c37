/**
 * The functions of the log that run inside the server, as SQL: the clock, the append and what a reader may say of time.
 *
 * They are named by version, so that workers of two builds run side by side on one schema: a change is a new function.
 */
import { outboxCategory } from "../Event.ts"
import { refusedCode, tooEarlyCode } from "./PostgresFailures.ts"

/** The store's clock, in whole milliseconds: one expression, which the planner puts in the place of the call. */
export const clock = (schema: string): string =>
  `CREATE FUNCTION "${schema}".clock_v1() RETURNS timestamptz LANGUAGE sql VOLATILE AS
$$ SELECT date_trunc('milliseconds', clock_timestamp()) $$`

/**
 * True; and the commit waits for the disk, also where the server, the database or the role has it otherwise: what was
 * answered must not be lost, and a checkpoint that comes back after a crash must not be taken for a later one.
 */
export const durable = `CASE current_setting('synchronous_commit')
  WHEN 'off' THEN set_config('synchronous_commit', 'on', true) ELSE 'on' END <> ''`

/** The two keys of the lock that writers hold one after the other: a mark of ours, and the log's own number. */
export const lockOf = (schema: string): string => `1986098789, '"${schema}".events'::regclass::oid::int`

/**
 * A stream's version, 0 where nothing is found. An index scan reads all entries on a page that its condition admits,
 * before anybody asks for the second: who knows what to expect says so, and a long stream costs what a short one does.
 */
const versionOf = (schema: string, stream: string, condition = ""): string =>
  `coalesce((SELECT e.version FROM "${schema}".events e
    WHERE e.tenant = ${stream}.tenant AND e.category = ${stream}.category AND e.stream_id = ${stream}.stream_id
    ${condition}ORDER BY e.version DESC LIMIT 1), 0)`

/**
 * The append of a group: one call, one transaction, one sync of the disk.
 *
 * - One lock comes first. Writers are one after the other from there to the end of their commits, so the order of
 *   positions is the order of commits, there are no holes, and who has seen a position has seen all before it. A group
 *   that only looks takes no lock: it writes nothing, and one snapshot is one moment.
 * - Deciding and writing are statements of their own: each sees what was committed before the lock was granted. One
 *   statement for both would decide on the moment before it waited.
 * - There is no counter and no table of streams: the next position is the last plus one, a stream's version the last
 *   entry under its prefix of the key that the insert touches anyway. A row that is updated at each call would leave a
 *   dead version each time, which nothing can remove while any old snapshot is open.
 * - Where every expectation is a number and met, and no command is repeated, there is nothing to sort or to answer.
 *
 * Arrays have one element per write, per receipt, per event; `…_write` points into the writes, counted from 1.
 * `expected`: a version; -1 anything; -2 that there are events. `first_ids`: the write's first event, where the
 * expectation says at which version it must stand if it was written before. `before`: events of the writes before it.
 *
 * `status` is null where everything was written as expected; else per write `ok`, `conflict`, `duplicate` or `known`
 * (its own event ids were found). `current` are versions before the call, of known writes the version they led to;
 * `last` the last positions of known writes. `found_…` are the receipts that were found, by their index.
 */
export const append = (schema: string): string => appendWith("CREATE FUNCTION", schema)

/**
 * The same, where there may be inline views. Whoever calls it knows none of them: those that an event belongs to end just
 * before it, and are their readers' again. So a worker of an older build need not know of any of this.
 */
export const appendBesideInline = (schema: string): string =>
  appendWith("CREATE OR REPLACE FUNCTION", schema, {
    condition: `
         AND NOT EXISTS (SELECT FROM "${schema}".inline_views v WHERE v.state <> 'ended' AND v.types && ev_type)`,
    after: endUnknown(schema)
  })

const appendWith = (create: string, schema: string, inline = { condition: "", after: "" }): string =>
  `${create} "${schema}".append_v1(
  ${argumentTypes.map(([name, type]) => `${name} ${type}`).join(", ")},
  ${answerTypes}
) LANGUAGE plpgsql VOLATILE
${settings}
AS $$
DECLARE
  event_count int := cardinality(ev_write);
  receipt_count int := cardinality(rc_key);
  written int := event_count;
  written_at timestamptz;
  all_ok bool;
BEGIN
  IF event_count + receipt_count > 0 THEN
    PERFORM pg_advisory_xact_lock(${lockOf(schema)});
  END IF;

${look(schema, inline.condition)}

  IF all_ok THEN
${insertAll(schema)}
  ELSE
${decide(schema)}

${insertOk(schema)}${inline.after}
  END IF;

  IF written > 0 THEN
    PERFORM pg_notify('${channelOf(schema)}', (base + written)::text);
  END IF;
END $$`

/** What every append answers. */
export const answerTypes = `OUT base bigint, OUT status text[], OUT current int[], OUT last bigint[],
  OUT found_receipt int[], OUT found_version int[], OUT found_position bigint[], OUT found_hash text[],
  OUT found_outcome text[]`

/** How every append is run. */
export const settings = `-- A call that waits longer gives up, and is certain to have written nothing.
SET lock_timeout = '5s'
-- Plans are kept per session: one that was made while the tables were empty must not walk them later. Without
-- compiling, which the costs of this setting would bring about.
SET enable_seqscan = off
SET jit = off`

/** The end of the log, the time, and whether all is as it was expected. */
export const look = (schema: string, condition = ""): string =>
  `  SELECT coalesce(head.position, 0),
         greatest("${schema}".clock_v1(), head.recorded_at),
         NOT EXISTS (
           SELECT FROM unnest(tenants, categories, stream_ids, expected) w(tenant, category, stream_id, expected)
           WHERE w.expected <> ${versionOf(schema, "w", "AND e.version >= w.expected ")})
         AND (receipt_count = 0 OR NOT EXISTS (
           SELECT FROM unnest(rc_key) k(key)
           WHERE (SELECT r.version FROM "${schema}".receipts r WHERE r.command_key = k.key LIMIT 1) IS NOT NULL))${condition}
    INTO base, written_at, all_ok
    FROM (VALUES (1)) one
    LEFT JOIN (SELECT e.position, e.recorded_at FROM "${schema}".events e ORDER BY e.position DESC LIMIT 1) head ON true;`

/** Whoever appends here knows no view. One that is inline ends just before the first append that it is for. */
const endUnknown = (schema: string): string => `

    IF written > 0 AND EXISTS (
      SELECT FROM "${schema}".inline_views v WHERE v.state <> 'ended' AND v.types && ev_type)
    THEN
      WITH writes AS MATERIALIZED (
        SELECT w.write, w.category, w.status,
               coalesce(sum(w.count) FILTER (WHERE w.status = 'ok')
                 OVER (ORDER BY w.append RANGE UNBOUNDED PRECEDING EXCLUDE GROUP), 0) AS before
        FROM unnest(categories, append_of, counts, status) WITH ORDINALITY w(category, append, count, status, write)),
      ends AS MATERIALIZED (
        SELECT v.name, v.version, v.state, min(w.before) AS before
        FROM writes w
        JOIN unnest(ev_write, ev_type) e(write, type) ON e.write = w.write
        JOIN "${schema}".inline_views v ON v.state <> 'ended' AND e.type = ANY (v.types)
        WHERE w.status = 'ok' AND w.category <> '${outboxCategory}'
        GROUP BY v.name, v.version, v.state),
      given_up AS (
        DELETE FROM "${schema}".inline_views v USING ends x
        WHERE v.name = x.name AND v.version = x.version AND x.state = 'filling')
      UPDATE "${schema}".inline_views v SET state = 'ended', ended_at = base + x.before
        FROM ends x WHERE v.name = x.name AND v.version = x.version AND x.state = 'inline';
    END IF;`

/** What every append is given. */
export const argumentTypes = [
  ["tenants", "text[]"],
  ["categories", "text[]"],
  ["stream_ids", "text[]"],
  ["expected", "int[]"],
  ["append_of", "int[]"],
  ["first_ids", "uuid[]"],
  ["counts", "int[]"],
  ["before", "int[]"],
  ["rc_write", "int[]"],
  ["rc_key", "uuid[]"],
  ["rc_events", "int[]"],
  ["rc_through", "int[]"],
  ["rc_hash", "text[]"],
  ["rc_outcome", "text[]"],
  ["ev_write", "int[]"],
  ["ev_step", "int[]"],
  ["ev_type", "text[]"],
  ["ev_schema", "int[]"],
  ["ev_id", "uuid[]"],
  ["ev_data", "text[]"],
  ["ev_metadata", "text[]"]
] as const

/** The arguments of the append, in order. */
export const appendArguments = argumentTypes.map(([name]) => name)

/**
 * Appends that wait for the commit of a transaction of the application. Nothing of it outlives a transaction, so it
 * needs no log of its own: rows go as they are decided, and a server that crashes had none to keep.
 */
export const staged = (schema: string): ReadonlyArray<string> => [
  `CREATE UNLOGGED TABLE "${schema}".staged (
  transaction xid8 NOT NULL DEFAULT pg_current_xact_id(), step int NOT NULL,
  ${argumentTypes.map(([name, type]) => `${name} ${type} NOT NULL`).join(", ")},
  PRIMARY KEY (transaction, step)
)`,
  `CREATE FUNCTION "${schema}".append_staged_v1() RETURNS trigger LANGUAGE plpgsql
SET lock_timeout = '5s'
AS $$
DECLARE
  answer record;
BEGIN
  -- The lock is held from here to the end: nobody may be asked to wait for more than a commit.
  IF current_query() !~* '^\\s*(commit|end)\\M' THEN
    RAISE 'an append is decided by the commit' USING ERRCODE = '${tooEarlyCode}';
  END IF;
  -- Also where the append only looks: what it looks at must still be so when the others are written.
  PERFORM pg_advisory_xact_lock(${lockOf(schema)});
  SELECT a.status, a.current, a.last INTO answer
    FROM "${schema}".append_v1(${argumentTypes.map(([name]) => `NEW.${name}`).join(", ")}) a;
  IF EXISTS (SELECT FROM unnest(answer.status) s WHERE s <> 'ok') THEN
    RAISE 'an append is refused' USING ERRCODE = '${refusedCode}', DETAIL = json_build_object(
      'step', NEW.step, 'status', answer.status, 'current', answer.current, 'last', answer.last)::text;
  END IF;
  DELETE FROM "${schema}".staged s WHERE s.transaction = NEW.transaction AND s.step = NEW.step;
  RETURN NULL;
END $$`,
  `CREATE CONSTRAINT TRIGGER append AFTER INSERT ON "${schema}".staged DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION "${schema}".append_staged_v1()`
]

/** Everything was expected as it is: no sorting, and no answer but where the log ended. */
export const insertAll = (schema: string): string =>
  `    IF receipt_count > 0 THEN
      INSERT INTO "${schema}".receipts (command_key, version, position, recorded_at, hash, outcome)
        SELECT r.key, w.expected + r.through, CASE WHEN r.events > 0 THEN base + w.before + r.through END, written_at,
               r.hash, r.outcome
        FROM unnest(rc_write, rc_key, rc_events, rc_through, rc_hash, rc_outcome)
               r(write, key, events, through, hash, outcome)
        JOIN unnest(expected, before) WITH ORDINALITY w(expected, before, write) ON w.write = r.write;
    END IF;
    IF event_count > 0 THEN
      INSERT INTO "${schema}".events
        (position, tenant, category, stream_id, version, type, schema_version, event_id, recorded_at, data, metadata)
        SELECT base + e.n, w.tenant, w.category, w.stream_id, w.expected + e.step, e.type, e.schema, e.id, written_at,
               e.data::json, e.metadata::json
        FROM unnest(ev_write, ev_step, ev_type, ev_schema, ev_id, ev_data, ev_metadata)
               WITH ORDINALITY e(write, step, type, schema, id, data, metadata, n)
        JOIN unnest(tenants, categories, stream_ids, expected)
               WITH ORDINALITY w(tenant, category, stream_id, expected, write) ON w.write = e.write;
    END IF;`

/** What becomes of each write. */
export const decide = (schema: string): string =>
  `    SELECT array_agg(${versionOf(schema, "w")} ORDER BY w.write)
      INTO current
      FROM unnest(tenants, categories, stream_ids) WITH ORDINALITY w(tenant, category, stream_id, write);

    SELECT array_agg(k.n::int ORDER BY k.n), array_agg(r.version ORDER BY k.n), array_agg(r.position ORDER BY k.n),
           array_agg(r.hash ORDER BY k.n), array_agg(r.outcome ORDER BY k.n)
      INTO found_receipt, found_version, found_position, found_hash, found_outcome
      FROM unnest(rc_key) WITH ORDINALITY k(key, n),
           LATERAL (SELECT r.version, r.position, r.hash, r.outcome FROM "${schema}".receipts r
                    WHERE r.command_key = k.key LIMIT 1) r;

    -- A repeated command is answered as such even where its expectation is stale: its first run made it so.
    SELECT array_agg(CASE WHEN a.repeated THEN 'duplicate' WHEN a.met THEN 'ok' ELSE 'conflict' END ORDER BY a.write)
      INTO status
      FROM (SELECT w.write,
              bool_or(d.write IS NOT NULL) OVER (PARTITION BY w.append) AS repeated,
              bool_and(CASE w.expected WHEN -1 THEN true WHEN -2 THEN w.current > 0 ELSE w.current = w.expected END)
                OVER (PARTITION BY w.append) AS met
            FROM unnest(append_of, expected, current) WITH ORDINALITY w(append, expected, current, write)
            LEFT JOIN (SELECT DISTINCT rc_write[i] FROM unnest(found_receipt) i) d(write) ON d.write = w.write) a;

    -- What was refused may be what was lost on its way back and is sent again: its own event ids tell. Positions within
    -- an append follow each other, so one event that is found leads to all.
    SELECT array_agg(CASE WHEN a.first IS NOT NULL AND a.count > 0 THEN a.first + a.through - 1 END ORDER BY a.write),
           array_agg(CASE WHEN a.first IS NOT NULL THEN 'known' ELSE status[a.write] END ORDER BY a.write)
      INTO last, status
      FROM (SELECT w.write, w.count, w.through,
              max(e.position - w.through + w.count) OVER (PARTITION BY w.append) AS first
            FROM (SELECT w.*, sum(w.count) OVER (PARTITION BY w.append ORDER BY w.write)::int AS through
                  FROM unnest(tenants, categories, stream_ids, expected, append_of, first_ids, counts)
                         WITH ORDINALITY w(tenant, category, stream_id, expected, append, first_id, count, write)) w
            LEFT JOIN LATERAL (
              SELECT e.position FROM "${schema}".events e
              WHERE w.first_id IS NOT NULL AND status[w.write] <> 'ok'
                AND e.tenant = w.tenant AND e.category = w.category AND e.stream_id = w.stream_id
                AND e.version = w.expected + 1 AND e.event_id = w.first_id
              LIMIT 1) e ON true) a;
    SELECT array_agg(coalesce((SELECT e.version FROM "${schema}".events e WHERE e.position = w.last LIMIT 1), w.current)
                     ORDER BY w.write)
      INTO current
      FROM unnest(last, current) WITH ORDINALITY w(last, current, write);`

/** What is in order is written, close up. */
export const insertOk = (schema: string): string =>
  `    INSERT INTO "${schema}".events
      (position, tenant, category, stream_id, version, type, schema_version, event_id, recorded_at, data, metadata)
      SELECT base + row_number() OVER (ORDER BY e.n), w.tenant, w.category, w.stream_id, w.current + e.step, e.type,
             e.schema, e.id, written_at, e.data::json, e.metadata::json
      FROM unnest(ev_write, ev_step, ev_type, ev_schema, ev_id, ev_data, ev_metadata)
             WITH ORDINALITY e(write, step, type, schema, id, data, metadata, n)
      JOIN unnest(tenants, categories, stream_ids, current, status)
             WITH ORDINALITY w(tenant, category, stream_id, current, status, write)
        ON w.write = e.write AND w.status = 'ok';
    GET DIAGNOSTICS written = ROW_COUNT;

    INSERT INTO "${schema}".receipts (command_key, version, position, recorded_at, hash, outcome)
      SELECT r.key, w.current + r.through, CASE WHEN r.events > 0 THEN base + w.before + r.through END, written_at,
             r.hash, r.outcome
      FROM unnest(rc_write, rc_key, rc_events, rc_through, rc_hash, rc_outcome)
             r(write, key, events, through, hash, outcome)
      JOIN (SELECT w.*, sum(w.count) OVER (ORDER BY w.write) - w.count AS before
            FROM unnest(current, counts, status) WITH ORDINALITY w(current, count, status, write)
            WHERE w.status = 'ok') w ON w.write = r.write;`

/**
 * What a field of a document counts as, by its type: a value of this type, or null. A number is one of JavaScript, so
 * what is too large for one counts as null, and what is too small as zero.
 */
export const fields = (schema: string): ReadonlyArray<string> => {
  const field = (type: string, sqlType: string, body: string) =>
    `CREATE FUNCTION "${schema}".${type}_v1(field json) RETURNS ${sqlType} LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $$ BEGIN ${body} END $$`
  return [
    field("text", "text", `RETURN CASE WHEN json_typeof(field) = 'string' THEN field #>> '{}' END;`),
    field("boolean", "boolean", `RETURN CASE WHEN json_typeof(field) = 'boolean' THEN (field #>> '{}')::boolean END;`),
    field(
      "number",
      "float8",
      // Only what may be too large or too small pays for being told.
      `IF json_typeof(field) <> 'number' THEN RETURN NULL; END IF;
  IF length(field::text) < 300 AND field::text !~ '[eE]' THEN RETURN field::text::float8; END IF;
  BEGIN
    RETURN field::text::float8;
  EXCEPTION WHEN numeric_value_out_of_range THEN
    RETURN CASE WHEN field::text ~ '[eE]-' THEN 0 END;
  END;`
    )
  ]
}

/** Where the server tells that the log has grown. */
export const channelOf = (schema: string): string => `varve_${schema}`

/**
 * The time of a snapshot whose log ended at `seen`: whatever is not in it will be recorded at this time or later.
 *
 * The clock is asked first. Then the writers' lock is tried, and let go at once: if nobody has it, and the log still
 * ends where it did, then whoever writes next asks the clock after us. Else it is the time of the last event.
 */
export const readAt = (schema: string): string => readAtAs("read_at_v1", "VOLATILE", schema)

/**
 * For readers of one tenant, who do not see where the log ends if that is another's event: where it ends, and the time
 * of a snapshot, as the owner of the tables knows it.
 */
export const ofTenants = (schema: string): ReadonlyArray<string> => [
  `CREATE FUNCTION "${schema}".head_v1(OUT "position" bigint, OUT recorded_at timestamptz) LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$ SELECT e.position, e.recorded_at FROM "${schema}".events e ORDER BY e.position DESC LIMIT 1 $$`,
  readAtAs("read_at_v2", "VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp", schema)
]

const readAtAs = (name: string, attributes: string, schema: string): string =>
  `CREATE FUNCTION "${schema}".${name}(seen bigint, seen_at timestamptz) RETURNS timestamptz LANGUAGE plpgsql
${attributes} SET enable_seqscan = off
AS $$
DECLARE
  now_at timestamptz := "${schema}".clock_v1();
BEGIN
  IF pg_try_advisory_lock_shared(${lockOf(schema)}) THEN
    PERFORM pg_advisory_unlock_shared(${lockOf(schema)});
    IF seen IS NOT DISTINCT FROM (SELECT e.position FROM "${schema}".events e ORDER BY e.position DESC LIMIT 1) THEN
      RETURN greatest(now_at, seen_at);
    END IF;
  END IF;
  RETURN coalesce(seen_at, 'epoch');
END $$`
