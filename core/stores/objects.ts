/**
 * The objects port: blobs named by the SHA-256 of their bytes (hex). What is put twice is stored
 * once; what `put` has resolved survives a power cut.
 */

export interface Blob {
  /** SHA-256, hex. */
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
}

export interface ByteRange {
  /** First byte. */
  readonly start: number;
  /** Behind the last byte. */
  readonly end: number;
}

export interface ObjectStore {
  put(bytes: Uint8Array | ReadableStream<Uint8Array>): Promise<Blob>;
  /** Throws `CarrelError` `not_found`. */
  get(digest: string): Promise<Uint8Array>;
  /** Throws `CarrelError` `not_found`. A range outside the blob is clamped. */
  open(digest: string, range?: ByteRange): Promise<ReadableStream<Uint8Array>>;
  stat(digest: string): Promise<Blob | undefined>;
  delete(digest: string): Promise<void>;
  list(): AsyncIterable<Blob>;
}
