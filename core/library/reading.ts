/** What a reader's app shows of an artifact, found out of its row, its variants and what the reader has done. */
import type { Artifact, ReaderEvent, Reading, Sibling } from "./artifact.ts";

/**
 * @param siblings the other variants of its parent, without those that were deleted
 * @param events what this reader has done with it
 */
export function readingOf(
  artifact: Pick<Artifact, "state" | "files" | "metadata" | "run" | "variantIndex" | "chosen">,
  siblings: readonly Pick<Sibling, "chosen">[],
  events: ReadonlySet<ReaderEvent>,
): Reading {
  const formats = formatsOf(artifact);
  return {
    state: stateOf(artifact, formats, events),
    formats,
    waitingSiblings: artifact.variantIndex === undefined || isDecided(artifact, siblings)
      ? 0
      : siblings.length,
  };
}

function isDecided(
  artifact: Pick<Artifact, "chosen">,
  siblings: readonly Pick<Sibling, "chosen">[],
): boolean {
  return artifact.chosen !== undefined || siblings.some(({ chosen }) => chosen !== undefined);
}

/** A placeholder of a run is being made: when its run ends before it is ready, it is `failed`. */
function isBeingMade({ state, run }: Pick<Artifact, "state" | "run">): boolean {
  return state === "generating" || (state === "placeholder" && run !== undefined);
}

function stateOf(
  artifact: Pick<Artifact, "state" | "files" | "run">,
  formats: Reading["formats"],
  events: ReadonlySet<ReaderEvent>,
): Reading["state"] {
  if (artifact.state === "deleted") return "none";
  if (artifact.files.length === 0) return isBeingMade(artifact) ? "generating" : "none";
  if (events.has("read")) return "read";
  if (events.has("opened")) return "opened";
  const whole = Object.values(formats).every((format) => format === "ready");
  return artifact.state === "ready" && whole ? "fully_ready" : "content_ready";
}

/** The formats that were promised, in that order, then others that are there. */
function formatsOf(
  artifact: Pick<Artifact, "state" | "files" | "metadata" | "run">,
): Reading["formats"] {
  const present = artifact.files.flatMap(({ format }) => format === undefined ? [] : [format]);
  const made = isBeingMade(artifact) ? "generating" : "missing";
  return Object.fromEntries(
    [...new Set([...promisedFormats(artifact.metadata), ...present])].map((format) => [
      format,
      present.includes(format) ? "ready" : made,
    ]),
  );
}

/** The formats that an artifact will have, as it was announced. */
function promisedFormats(metadata: Readonly<Record<string, unknown>>): string[] {
  const { formats } = metadata;
  return Array.isArray(formats) ? formats.filter((format) => typeof format === "string") : [];
}
