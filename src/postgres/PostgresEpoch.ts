/**
 * The epoch of the log, as SQL: a number that grows when the log may have been put back behind its readers.
 *
 * What tells is where the number was written, and who wrote it:
 *
 * - the database's own number: another one is a copy, made of a template or of a dump
 * - the server's timeline: another one begins when a standby is promoted, or a backup is recovered to a point in time;
 *   where the server does not tell, as some that are hosted do, it counts for nothing
 * - a mark: the number of the transaction that wrote the row. The server keeps it beside each row as well, so a row that
 *   was written by another transaction, as by one that restores a dump into the same database, shows another one
 *
 * It does not see the files of a server being put back while it was down, as by a snapshot of its disk: then nothing in
 * there is different.
 */

const timeline = `left(pg_walfile_name(pg_current_wal_lsn()), 8)`

const database = "(SELECT d.oid FROM pg_database d WHERE d.datname = current_database())"

/** The functions that ask where we are, and which epoch it is. */
export const functions = (schema: string): ReadonlyArray<string> => [
  `CREATE FUNCTION "${schema}".timeline_v1() RETURNS text LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$ BEGIN RETURN ${timeline}; EXCEPTION WHEN OTHERS THEN RETURN NULL; END $$`,
  epoch(schema)
]

/** Who only reads may ask, too, and so be the first to notice. On a standby nothing can be written: it is as it was. */
const epoch = (schema: string): string => {
  const isHere = `e.database = ${database} AND e.timeline IS NOT DISTINCT FROM "${schema}".timeline_v1()
      AND e.mark::xid = e.xmin`
  return `CREATE FUNCTION "${schema}".epoch_v1() RETURNS int LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  known int;
BEGIN
  SELECT e.epoch INTO known FROM "${schema}".epochs e WHERE pg_is_in_recovery() OR ${isHere};
  IF known IS NULL THEN
    -- Whoever comes second waits, and finds that it was done.
    PERFORM FROM "${schema}".epochs e FOR UPDATE;
    UPDATE "${schema}".epochs e SET epoch = e.epoch + 1, database = ${database},
        timeline = "${schema}".timeline_v1(), mark = pg_current_xact_id()
      WHERE NOT (${isHere});
    SELECT e.epoch INTO known FROM "${schema}".epochs e;
  END IF;
  RETURN known;
END $$`
}

/** The first epoch begins here and now. */
export const begin = (schema: string): string =>
  `INSERT INTO "${schema}".epochs (one, epoch, database, timeline, mark)
SELECT true, 1, ${database}, "${schema}".timeline_v1(), pg_current_xact_id()`
