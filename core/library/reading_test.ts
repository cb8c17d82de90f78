import assert from "node:assert/strict";
import type { Artifact, ReaderEvent, Sibling } from "./artifact.ts";
import { readingOf } from "./reading.ts";

const file = (format?: string) => ({
  name: "text.md",
  mediaType: "text/markdown",
  digest: "d",
  size: 1,
  format,
});

const reading = (
  more: Partial<Artifact>,
  siblings: readonly Pick<Sibling, "chosen">[] = [],
  events: readonly ReaderEvent[] = [],
) =>
  readingOf(
    {
      state: "generating",
      files: [],
      metadata: { formats: ["en", "de"] },
      run: "run_1",
      variantIndex: undefined,
      chosen: undefined,
      ...more,
    },
    siblings,
    new Set(events),
  );

Deno.test("readingOf() follows an artifact from its announcement to its last format", () => {
  const states = (more: Partial<Artifact>) => {
    const { state, formats } = reading(more);
    return [state, ...Object.values(formats)];
  };
  assert.deepEqual(states({ state: "placeholder", run: undefined }), [
    "none",
    "missing",
    "missing",
  ]);
  assert.deepEqual(states({ state: "placeholder" }), ["generating", "generating", "generating"]);
  assert.deepEqual(states({ files: [file("en")] }), ["content_ready", "ready", "generating"]);
  const both = [file("en"), file("de")];
  assert.deepEqual(states({ files: both }), ["content_ready", "ready", "ready"]);
  assert.deepEqual(states({ state: "ready", files: both }), ["fully_ready", "ready", "ready"]);
  assert.deepEqual(states({ state: "ready", files: [file("en")] }), [
    "content_ready",
    "ready",
    "missing",
  ]);
  assert.deepEqual(states({ state: "failed" }), ["none", "missing", "missing"]);
  assert.deepEqual(states({ state: "failed", files: [file("en")] }), [
    "content_ready",
    "ready",
    "missing",
  ]);
  assert.equal(reading({ state: "deleted", files: both }).state, "none");
  assert.deepEqual(reading({ state: "ready", files: [file()], metadata: {} }), {
    state: "fully_ready",
    formats: {},
    waitingSiblings: 0,
  });
});

Deno.test("readingOf() says what the reader did, unless there is nothing to read", () => {
  const files = [file("en")];
  assert.equal(reading({ files }, [], ["opened"]).state, "opened");
  assert.equal(reading({ files }, [], ["read", "opened"]).state, "read");
  assert.equal(reading({ files }, [], ["shared"]).state, "content_ready");
  assert.equal(reading({}, [], ["read"]).state, "generating");
});

Deno.test("readingOf() counts the siblings until somebody has chosen", () => {
  const open = [{ chosen: undefined }, { chosen: undefined }];
  const waiting = (more: Partial<Artifact>, siblings: readonly Pick<Sibling, "chosen">[]) =>
    reading(more, siblings).waitingSiblings;
  assert.equal(waiting({ variantIndex: 0 }, open), 2);
  assert.equal(waiting({}, open), 0);
  assert.equal(waiting({ variantIndex: 0, chosen: true }, open), 0);
  assert.equal(waiting({ variantIndex: 0 }, [{ chosen: undefined }, { chosen: true }]), 0);
});
