/** How much may be fetched and unpacked. Plain data: it goes to the guests as it is. */
export interface SourceLimits {
  /** All that one fetch takes from the network, bytes, after content decoding. */
  readonly downloadBytes: number;
  /** All files together, bytes, unpacked. */
  readonly totalBytes: number;
  /** One file, bytes, unpacked. */
  readonly fileBytes: number;
  /** Files and folders. */
  readonly files: number;
  /** Bytes unpacked for each byte packed, beyond the first MiB: what a decompression bomb exceeds. */
  readonly ratio: number;
  /** Redirects from one server to another; and, counted apart, within one server. */
  readonly redirects: number;
  /** The whole fetch, milliseconds. */
  readonly timeMs: number;
  /** The longest silence of a server, milliseconds. */
  readonly silenceMs: number;
}

const MIB = 1024 * 1024;

export const DEFAULT_SOURCE_LIMITS: SourceLimits = {
  downloadBytes: 64 * MIB,
  totalBytes: 128 * MIB,
  fileBytes: 32 * MIB,
  files: 2000,
  ratio: 200,
  redirects: 5,
  timeMs: 120_000,
  silenceMs: 30_000,
};

/** `12.5 MiB`, or bytes below one KiB. */
export function sizeText(bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`;
  return bytes < MIB
    ? `${Math.round(bytes / 102.4) / 10} KiB`
    : `${Math.round(bytes / MIB * 10) / 10} MiB`;
}
