/** Pages of lists whose cursor is the last id of the page before. */
import { CarrelError } from "../errors.ts";
import type { IdKind } from "../ids.ts";

/** Throws `bad_request` for a cursor that no page of such a list has given. */
export function checkCursor(kind: IdKind, cursor: string): string {
  if (new RegExp(`^${kind}_[0-9a-hjkmnp-tv-z]{26}$`).test(cursor)) return cursor;
  throw new CarrelError("bad_request", `Cannot go on with the list: the cursor is not one of it`, {
    details: { field: "cursor" },
  });
}

/** Characters of JSON of one page; the next page takes the rest. */
const MAX_PAGE_SIZE = 4 * 1024 * 1024;

/** The ids of one page: at most `limit`, and fewer where the things are large; `next` is its cursor. */
export function onePage(
  rows: readonly { readonly id: string; readonly size: number }[],
  limit: number,
): { ids: string[]; next: string | undefined } {
  let left = MAX_PAGE_SIZE;
  let count = 0;
  for (const { size } of rows.slice(0, limit)) {
    left -= size;
    if (left < 0 && count > 0) break;
    count++;
  }
  const ids = rows.slice(0, count).map(({ id }) => id);
  return { ids, next: rows.length > count ? ids.at(-1) : undefined };
}
