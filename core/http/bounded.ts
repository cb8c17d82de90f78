/** What requests may say at length, and how much of it. */
import { z } from "@hono/zod-openapi";
import { boundProblem } from "../json_schema/bounds.ts";

/** A JSON object of a request, bounded: what is stored is read, copied and sent again. */
export const boundedObject = (maxChars: number) =>
  z.record(z.string(), z.unknown()).superRefine((value, ctx) => {
    const wrong = boundProblem(value, { maxDepth: 16, maxChars });
    if (wrong !== undefined) ctx.addIssue({ code: "custom", message: `expected less: ${wrong}` });
  }).openapi({
    description: `A JSON object, at most 16 levels deep and ${maxChars} characters long`,
  });

/** What people say of a content; kept with it. */
export const metadataSchema = boundedObject(64 * 1024);

/** No control characters, and none that turn the direction of what stands around them. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\p{Co}\p{Cn}\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/u;

/** A collection's name. */
export const collectionSchema = z.string().min(1).max(200).refine(
  (name) => !UNPRINTABLE.test(name) && name.trim() === name,
  { error: "expected a name of printable characters, without spaces around it" },
);
