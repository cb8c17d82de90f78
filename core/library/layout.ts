/** The names under which the library shows its files; the blobs themselves are named by digest. */
import type { ContentType } from "../../sdk/types.ts";

const EXTENSIONS: Readonly<Record<string, string>> = {
  "application/pdf": "pdf",
  "application/xhtml+xml": "html",
  "text/html": "html",
  "text/markdown": "md",
  "text/plain": "txt",
  "application/json": "json",
  "application/epub+zip": "epub",
  "application/rss+xml": "xml",
  "application/atom+xml": "xml",
  "image/jpeg": "jpg",
  "image/png": "png",
  "audio/mpeg": "mp3",
  "video/mp4": "mp4",
};

/** The word that a content's original goes by. */
const BASE_NAMES: Readonly<Record<ContentType, string>> = {
  webpage: "page",
  document: "document",
  academic_paper: "document",
  video: "video",
  audio: "audio",
  social_media: "post",
  repository: "repository",
  feed: "feed",
};

/** `page.html`, `document.pdf`, …: base by content type, extension by media type, else the original's own. */
export function originalName(type: ContentType, mediaType: string, name: string): string {
  const essence = mediaType.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  const own = /\.([A-Za-z0-9]{1,8})$/.exec(name)?.[1]?.toLowerCase();
  return `${BASE_NAMES[type]}.${EXTENSIONS[essence] ?? own ?? "bin"}`;
}
