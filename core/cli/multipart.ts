/** A `multipart/form-data` body (RFC 7578) that streams its file, so that a large one is never in memory whole. */

export interface FilePart {
  /** Shown to the server; no path. */
  readonly name: string;
  readonly mediaType?: string | undefined;
  readonly bytes: Uint8Array | ReadableStream<Uint8Array>;
}

/** In names, these three characters are escaped as browsers do it (WHATWG HTML, multipart/form-data encoding). */
function quoted(name: string): string {
  return `"${name.replaceAll("\n", "%0A").replaceAll("\r", "%0D").replaceAll('"', "%22")}"`;
}

/** The body and its content type. `onBytes` is told how many bytes of the file have gone. */
export function multipart(
  fields: Readonly<Record<string, string>>,
  file: FilePart,
  options: {
    readonly fileField?: string;
    readonly onBytes?: ((sent: number) => void) | undefined;
  } = {},
): { readonly body: ReadableStream<Uint8Array>; readonly contentType: string } {
  const boundary = `carrel-${crypto.randomUUID()}`;
  const encoder = new TextEncoder();
  let head = "";
  for (const [name, value] of Object.entries(fields)) {
    head += `--${boundary}\r\ncontent-disposition: form-data; name=${
      quoted(name)
    }\r\n\r\n${value}\r\n`;
  }
  const type = (file.mediaType ?? "application/octet-stream").replaceAll(/[\r\n]/g, " ");
  head += `--${boundary}\r\ncontent-disposition: form-data; name=${
    quoted(options.fileField ?? "file")
  }; filename=${quoted(file.name)}\r\ncontent-type: ${type}\r\n\r\n`;
  const tail = `\r\n--${boundary}--\r\n`;

  async function* pieces(): AsyncGenerator<Uint8Array> {
    yield encoder.encode(head);
    if (file.bytes instanceof Uint8Array) {
      yield file.bytes;
      options.onBytes?.(file.bytes.length);
    } else {
      let sent = 0;
      for await (const piece of file.bytes) {
        yield piece;
        sent += piece.length;
        options.onBytes?.(sent);
      }
    }
    yield encoder.encode(tail);
  }
  return {
    body: ReadableStream.from(pieces()),
    contentType: `multipart/form-data; boundary=${boundary}`,
  };
}
