/**
 * Inline views inside the server, as SQL: their table, the append that writes their documents, and how they become inline
 * and are left.
 */
import { outboxCategory } from "../Event.ts"
import { behindMax, fillingMillis } from "../internal/inline.ts"
import * as Log from "./PostgresFunctions.ts"

/** Which views are inline, or about to be, or were until somebody appended who did not know them. */
export const table = (schema: string): string =>
  `CREATE TABLE "${schema}".inline_views (
  name text COLLATE "C" NOT NULL,
  version int NOT NULL,
  types text[] COLLATE "C" NOT NULL,
  state text COLLATE "C" NOT NULL,
  until timestamptz NOT NULL,
  ended_at bigint NOT NULL,
  PRIMARY KEY (name, version)
)`

/**
 * The arguments of an append that knows views, beside those of any append. Each list has one element per:
 *
 * - `li_…`: write and view that it lists; `li_write` points into the writes, counted from 1
 * - `ex_…`: view that is inline or filling as far as the caller knows, and that a write lists or an event may belong to;
 *   by name and version
 * - `en_…`: view that ends, `en_before` events into the group
 * - `vw_…`: view whose documents are given, in its table `vw_table`, those up to `vw_through`, counted from 1
 * - `dc_…`: document, each once: what it must be, what it becomes, how often it is written on the way, and whether it was
 *   made anew on the way
 *
 * `only_look`: nothing is written, whatever is found.
 */
const argumentTypes = [
  ["li_write", "int[]"],
  ["li_name", "text[]"],
  ["li_version", "int[]"],
  ["ex_name", "text[]"],
  ["ex_version", "int[]"],
  ["ex_state", "text[]"],
  ["en_name", "text[]"],
  ["en_version", "int[]"],
  ["en_before", "int[]"],
  ["vw_table", "text[]"],
  ["vw_through", "int[]"],
  ["dc_tenant", "text[]"],
  ["dc_key", "text[]"],
  ["dc_expected", "text[]"],
  ["dc_document", "text[]"],
  ["dc_writes", "int[]"],
  ["dc_anew", "bool[]"],
  ["only_look", "bool"]
] as const

/** The arguments of the append, in order. */
export const appendArguments = [...Log.appendArguments, ...argumentTypes.map(([name]) => name)]

/**
 * The append of a group whose writers know views: all of it is written, or nothing. Where nothing is, the answer says how
 * things are, so that the caller finds out which of the appends can be written, and sends those.
 *
 * `done`: it was written. If not, `status` and the rest are those of `append_v1`, `known_…` the views that are inline or
 * filling and that a write lists or an event may belong to, and `actual` the documents.
 */
export const append = (schema: string): string =>
  `CREATE FUNCTION "${schema}".append_v2(
  ${[...Log.argumentTypes, ...argumentTypes].map(([name, type]) => `${name} ${type}`).join(", ")},
  ${Log.answerTypes},
  OUT done bool, OUT known_name text[], OUT known_version int[], OUT known_types text[], OUT known_state text[],
  OUT actual text[]
) LANGUAGE plpgsql VOLATILE
${Log.settings}
AS $$
DECLARE
  event_count int := cardinality(ev_write);
  receipt_count int := cardinality(rc_key);
  written int := event_count;
  written_at timestamptz;
  all_ok bool;
  part text[];
  first int := 1;
BEGIN
  PERFORM pg_advisory_xact_lock(${Log.lockOf(schema)});

${Log.look(schema)}

${lookAtViews(schema)}

${lookAtDocuments(schema)}

  IF NOT all_ok THEN
${Log.decide(schema)}
    done := done AND NOT EXISTS (SELECT FROM unnest(status) s WHERE s <> 'ok');
  END IF;
  done := done AND NOT only_look;
  IF NOT done THEN
    RETURN;
  END IF;

  IF all_ok THEN
${Log.insertAll(schema)}
  ELSE
${Log.insertOk(schema)}
  END IF;
${writeAndEnd(schema)}

  IF written > 0 THEN
    PERFORM pg_notify('${Log.channelOf(schema)}', (base + written)::text);
  END IF;
END $$`

/** The views that matter, and whether they are as the caller knows. */
const lookAtViews = (schema: string): string =>
  `  SELECT coalesce(array_agg(v.name ORDER BY v.name, v.version), '{}'),
         coalesce(array_agg(v.version ORDER BY v.name, v.version), '{}'),
         coalesce(array_agg(to_json(v.types)::text ORDER BY v.name, v.version), '{}'),
         coalesce(array_agg(v.state ORDER BY v.name, v.version), '{}')
    INTO known_name, known_version, known_types, known_state
    FROM "${schema}".inline_views v
    WHERE (v.state = 'inline' OR (v.state = 'filling' AND v.until > written_at))
      AND (v.types && ev_type OR EXISTS (
        SELECT FROM unnest(li_name, li_version) l(name, version) WHERE l.name = v.name AND l.version = v.version));

  done := known_name = ex_name AND known_version = ex_version AND known_state = ex_state AND NOT EXISTS (
    -- An event of a view that its write does not list, and that does not end.
    SELECT FROM unnest(ev_write, ev_type) e(write, type)
    JOIN "${schema}".inline_views v ON e.type = ANY (v.types)
      AND (v.name, v.version) IN (SELECT k.name, k.version FROM unnest(known_name, known_version) k(name, version))
    WHERE categories[e.write] <> '${outboxCategory}'
      AND NOT EXISTS (SELECT FROM unnest(li_write, li_name, li_version) l(write, name, version)
        WHERE l.write = e.write AND l.name = v.name AND l.version = v.version)
      AND NOT EXISTS (SELECT FROM unnest(en_name, en_version) x(name, version)
        WHERE x.name = v.name AND x.version = v.version));`

/** The documents, and whether they are as the writers decided on. */
const lookAtDocuments = (schema: string): string =>
  `  actual := '{}';
  FOR i IN 1..cardinality(vw_table) LOOP
    part := array_fill(NULL::text, ARRAY[vw_through[i] - first + 1]);
    IF to_regclass(format('%I.%I', '${schema}', vw_table[i])) IS NOT NULL THEN
      EXECUTE format('SELECT array_agg(d.document::text ORDER BY k.n)
        FROM unnest($1, $2) WITH ORDINALITY k(tenant, key, n)
        LEFT JOIN %I.%I d ON d.tenant = k.tenant AND d.key = k.key', '${schema}', vw_table[i])
        INTO part USING dc_tenant[first:vw_through[i]], dc_key[first:vw_through[i]];
    END IF;
    actual := actual || part;
    first := vw_through[i] + 1;
  END LOOP;
  done := done AND actual = dc_expected;`

/** Writes documents, view by view, and ends what somebody did not know. */
const writeAndEnd = (schema: string): string =>
  `  first := 1;
  FOR i IN 1..cardinality(vw_table) LOOP
    PERFORM "${schema}".write_inline_v1(vw_table[i], dc_tenant[first:vw_through[i]], dc_key[first:vw_through[i]],
      dc_expected[first:vw_through[i]], dc_document[first:vw_through[i]], dc_writes[first:vw_through[i]],
      dc_anew[first:vw_through[i]]);
    first := vw_through[i] + 1;
  END LOOP;
  IF cardinality(en_name) > 0 THEN
    DELETE FROM "${schema}".inline_views v USING unnest(en_name, en_version) x(name, version)
      WHERE v.name = x.name AND v.version = x.version AND v.state = 'filling';
    UPDATE "${schema}".inline_views v SET state = 'ended', ended_at = base + x.before
      FROM unnest(en_name, en_version, en_before) x(name, version, before)
      WHERE v.name = x.name AND v.version = x.version AND v.state = 'inline';
  END IF;`

/** Writes the documents of one view, which are as they were expected. */
export const writeDocuments = (schema: string): string =>
  `CREATE FUNCTION "${schema}".write_inline_v1(
  view_table text, tenants text[], keys text[], expected text[], documents text[], writes int[], anew bool[]
) RETURNS void LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
  -- Most of them are there already, or none is; what has nothing to do is not planned.
  IF EXISTS (SELECT FROM unnest(expected, documents, writes) c(expected, document, writes)
    WHERE c.writes > 0 AND c.expected IS NOT NULL AND c.document IS NOT NULL)
  THEN
    EXECUTE format('UPDATE %I.%I d
      SET document = c.document::json, revision = CASE WHEN c.anew THEN c.writes ELSE d.revision + c.writes END
      FROM unnest($1, $2, $3, $4, $5, $6) c(tenant, key, expected, document, writes, anew)
      WHERE c.writes > 0 AND c.expected IS NOT NULL AND c.document IS NOT NULL
        AND d.tenant = c.tenant AND d.key = c.key', '${schema}', view_table)
      USING tenants, keys, expected, documents, writes, anew;
  END IF;
  IF EXISTS (SELECT FROM unnest(expected, documents) c(expected, document)
    WHERE c.expected IS NULL AND c.document IS NOT NULL)
  THEN
    EXECUTE format('INSERT INTO %I.%I (tenant, key, revision, document)
      SELECT c.tenant, c.key, c.writes, c.document::json
      FROM unnest($1, $2, $3, $4, $5) c(tenant, key, expected, document, writes)
      WHERE c.expected IS NULL AND c.document IS NOT NULL', '${schema}', view_table)
      USING tenants, keys, expected, documents, writes;
  END IF;
  IF EXISTS (SELECT FROM unnest(expected, documents) c(expected, document)
    WHERE c.expected IS NOT NULL AND c.document IS NULL)
  THEN
    EXECUTE format('DELETE FROM %I.%I d USING unnest($1, $2, $3, $4) c(tenant, key, expected, document)
      WHERE c.expected IS NOT NULL AND c.document IS NULL AND d.tenant = c.tenant AND d.key = c.key',
      '${schema}', view_table)
      USING tenants, keys, expected, documents;
  END IF;
END $$`

/** A view that has ended is its reader's again, from where it ended. Nobody else may be changing its checkpoint. */
const giveBack = (schema: string): string =>
  `  SELECT v.ended_at INTO place FROM "${schema}".inline_views v
    WHERE v.name = view_name AND v.version = view_version AND v.state = 'ended';
  IF FOUND THEN
    DELETE FROM "${schema}".inline_views v WHERE v.name = view_name AND v.version = view_version;
    PERFORM "${schema}".move_inline_v1(view_name, view_version, place, epoch);
  END IF;`

/**
 * Takes a view's checkpoint first, so that whoever is just moving it is waited for by nobody else; then the lock of those
 * who append.
 */
const take = (schema: string): string =>
  `  PERFORM FROM "${schema}".checkpoints c
    WHERE c.name = view_name AND c.version = view_version AND c.partition = 0 FOR UPDATE;
  PERFORM pg_advisory_xact_lock(${Log.lockOf(schema)});`

/** Whether a view may be inline. */
const judge = (schema: string): string =>
  `  SELECT coalesce(c.position, 0) AS position,
         (c.paused IS NOT NULL OR c.epoch <> enter_inline_v1.epoch OR c.position > head) IS TRUE
         OR EXISTS (SELECT FROM "${schema}".parked p WHERE p.reader_name = view_name AND p.reader_version = view_version)
           AS held
    INTO reached
    FROM (VALUES (1)) one
    LEFT JOIN "${schema}".checkpoints c
      ON c.name = view_name AND c.version = view_version AND c.partition = 0 AND NOT c.removed;
  IF reached.held THEN
    entered := 'held';
  ELSIF head - reached.position > ${behindMax} THEN
    entered := 'behind';
  ELSIF EXISTS (SELECT FROM "${schema}".events e
    WHERE e.position > reached.position AND e.category <> '${outboxCategory}' AND e.type = ANY (view_types))
  THEN
    entered := 'filling';
  ELSE
    entered := 'inline';
    PERFORM "${schema}".move_inline_v1(view_name, view_version, head, epoch);
  END IF;`

/** How views become inline, and are left; see `InlineViews`. */
export const entering = (schema: string): ReadonlyArray<string> => [move(schema), enter(schema), leave(schema)]

/** Sets the checkpoint of a view, whoever has it. */
const move = (schema: string): string =>
  `CREATE FUNCTION "${schema}".move_inline_v1(view_name text, view_version int, place bigint, epoch text)
RETURNS void LANGUAGE sql VOLATILE
AS $$ INSERT INTO "${schema}".checkpoints AS c (name, version, partition, position, epoch, revision, updated_at)
  VALUES (view_name, view_version, 0, place, epoch, 1, "${schema}".clock_v1())
  ON CONFLICT (name, version, partition) DO UPDATE SET position = excluded.position, epoch = excluded.epoch,
    revision = c.revision + 1, paused = CASE WHEN c.removed THEN NULL ELSE c.paused END, removed = false,
    updated_at = excluded.updated_at $$`

const enter = (schema: string): string =>
  `CREATE FUNCTION "${schema}".enter_inline_v1(view_name text, view_version int, view_types text[], epoch text,
  OUT entered text, OUT place bigint
) LANGUAGE plpgsql VOLATILE
${Log.settings}
AS $$
DECLARE
  now_at timestamptz;
  head bigint;
  found_state text;
  reached record;
BEGIN
${take(schema)}
  SELECT greatest("${schema}".clock_v1(), e.recorded_at), coalesce(e.position, 0) INTO now_at, head
    FROM (VALUES (1)) one
    LEFT JOIN (SELECT e.position, e.recorded_at FROM "${schema}".events e ORDER BY e.position DESC LIMIT 1) e ON true;
${giveBack(schema)}
  place := head;

  SELECT v.state INTO found_state FROM "${schema}".inline_views v
    WHERE v.name = view_name AND v.version = view_version;
  IF found_state = 'inline' THEN
    entered := 'inline';
    UPDATE "${schema}".inline_views v
      SET types = v.types || ARRAY(SELECT t FROM unnest(view_types) t WHERE t <> ALL (v.types))
      WHERE v.name = view_name AND v.version = view_version AND NOT v.types @> view_types;
    RETURN;
  END IF;

${judge(schema)}

  DELETE FROM "${schema}".inline_views v WHERE v.name = view_name AND v.version = view_version;
  IF entered IN ('inline', 'filling') THEN
    INSERT INTO "${schema}".inline_views (name, version, types, state, until, ended_at)
      VALUES (view_name, view_version, view_types, entered, now_at + interval '${fillingMillis} milliseconds', 0);
  END IF;
END $$`

const leave = (schema: string): string =>
  `CREATE FUNCTION "${schema}".leave_inline_v1(view_name text, view_version int, epoch text,
  OUT was_inline bool
) LANGUAGE plpgsql VOLATILE
${Log.settings}
AS $$
DECLARE
  place bigint;
BEGIN
${take(schema)}
  UPDATE "${schema}".inline_views v
    SET state = 'ended', ended_at = coalesce((SELECT max(e.position) FROM "${schema}".events e), 0)
    WHERE v.name = view_name AND v.version = view_version AND v.state = 'inline';
${giveBack(schema)}
  was_inline := FOUND;
END $$`
