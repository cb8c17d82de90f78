import { PluginError } from "@carrel/sdk";
import { getDocumentProxy } from "unpdf";

/** What this plugin uses of PDF.js. */
export interface PdfDocument {
  readonly numPages: number;
  getPage(page: number): Promise<PdfPage>;
  getMetadata(): Promise<{
    readonly info: Readonly<Record<string, unknown>>;
    readonly metadata: Iterable<readonly [name: string, value: unknown]> | null;
  }>;
  readonly loadingTask: { destroy(): Promise<void> };
}

export interface PdfPage {
  /** In points; `[left, bottom, right, top]`. */
  readonly view: readonly number[];
  streamTextContent(): ReadableStream<{ readonly items: readonly PdfItem[] }>;
  cleanup(): void;
}

/** A run of text that was set in one go. */
export interface PdfItem {
  readonly str: string;
  /** `[a, b, c, d, x, y]` of the matrix that maps text space to the page, y upwards. */
  readonly transform: readonly number[];
  /** Along the direction of writing, in points. */
  readonly width: number;
  readonly height: number;
  readonly hasEOL: boolean;
  /** Unique within the document. */
  readonly fontName: string;
}

/** Opens a document, or says in a stable code what is wrong with it. `name` is for the message. */
export async function openPdf(bytes: Uint8Array, name: string): Promise<PdfDocument> {
  if (bytes.length === 0) {
    throw new PluginError("empty", `Cannot read "${name}": the file is empty.`);
  }
  const head = new TextDecoder("windows-1252").decode(bytes.subarray(0, 1024));
  if (!head.includes("%PDF-")) {
    throw new PluginError("unsupported_media_type", `Cannot read "${name}": it is not a PDF.`);
  }
  try {
    // PDF.js takes the buffer that it is given for good, hence the copy.
    return await getDocumentProxy(
      bytes.slice(),
      {
        disableFontFace: true,
        useSystemFonts: false,
        isEvalSupported: false,
        verbosity: 0,
      } as Parameters<typeof getDocumentProxy>[1],
    ) as unknown as PdfDocument;
  } catch (error) {
    throw openError(error, name);
  }
}

function openError(error: unknown, name: string): PluginError {
  const kind = error instanceof Error ? error.name : "";
  if (kind === "PasswordException") {
    return new PluginError(
      "encrypted",
      `Cannot read "${name}": the document is encrypted and needs a password.`,
      { cause: error },
    );
  }
  return new PluginError(
    "damaged",
    `Cannot read "${name}": the document is damaged or cut off.`,
    { cause: error },
  );
}
