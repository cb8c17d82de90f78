/**
 * What a plugin is handed because it says that it takes it: files of a media type, exports of a format, calls of a
 * capability. Nobody grants it one by one, so whoever installs or updates the plugin is shown all of it.
 */
import type { Manifest } from "./manifest.ts";

/** One thing that a plugin takes. */
export interface Take {
  /** `media_types:text/html` */
  readonly key: string;
  /** In plain words: "Read files of the type text/html that you import". */
  readonly text: string;
}

export function takesOf(
  { media_types, formats, provides }: Pick<Manifest, "media_types" | "formats" | "provides">,
): readonly Take[] {
  return [
    ...media_types.map((type) => ({ key: `media_types:${type}`, text: mediaText(type) })),
    ...formats.map((format) => ({
      key: `formats:${format}`,
      text: `Make exports of the format ${format}: it is handed the contents that you choose`,
    })),
    ...provides.map((name) => ({
      key: `provides:${name}`,
      text: `Serve "${name}": it is handed what workflows and other plugins pass to that`,
    })),
  ];
}

function mediaText(type: string): string {
  if (type === "*/*" || type === "*") {
    return "Read files of every type that you import, where no other plugin takes the type";
  }
  return `Read files of the type ${type} that you import`;
}
