/** Request bodies, bounded in size and in time while they come in. */
import { CarrelError } from "../errors.ts";

export interface BodyLimits {
  readonly maxBytes: number;
  /** The longest silence of the client, milliseconds. */
  readonly idleMs: number;
}

/**
 * The body of a request as a stream that fails with `too_large` or `timed_out`. A `Content-Length` that is
 * too large is refused before a byte is read.
 */
export function boundedBody(request: Request, limits: BodyLimits): ReadableStream<Uint8Array> {
  const announced = Number(request.headers.get("content-length") ?? 0);
  if (announced > limits.maxBytes) throw tooLarge(limits.maxBytes);
  if (request.body === null) return new Blob([]).stream();

  const reader = request.body.getReader();
  let seen = 0;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const piece = await readBefore(reader, limits.idleMs);
      if (piece.done) return controller.close();
      seen += piece.value.byteLength;
      if (seen > limits.maxBytes) {
        await reader.cancel().catch(() => {});
        throw tooLarge(limits.maxBytes);
      }
      controller.enqueue(piece.value);
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
}

/** The whole of a bounded body. */
export async function readBounded(request: Request, limits: BodyLimits): Promise<Uint8Array> {
  return new Uint8Array(await new Response(boundedBody(request, limits)).arrayBuffer());
}

async function readBefore(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  idleMs: number,
): Promise<ReadableStreamReadResult<Uint8Array>> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(
        new CarrelError(
          "timed_out",
          `Cannot read the request: nothing came for ${idleMs / 1000} seconds.`,
          { retryable: true },
        ),
      );
    }, idleMs);
  });
  try {
    return await Promise.race([reader.read(), silence]);
  } catch (error) {
    await reader.cancel().catch(() => {});
    if (error instanceof CarrelError) throw error;
    throw new CarrelError("bad_request", "Cannot read the request: it broke off.", {
      cause: error,
      retryable: true,
    });
  } finally {
    clearTimeout(timer);
  }
}

function tooLarge(maxBytes: number): CarrelError {
  return new CarrelError(
    "too_large",
    `Cannot take the request: it is larger than ${maxBytes} bytes.`,
    { details: { max_bytes: maxBytes } },
  );
}
