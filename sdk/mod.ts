/**
 * `@carrel/sdk`: what plugin authors import.
 * @module
 */
export * from "./decode_text.ts";
export * from "./define_plugin.ts";
export * from "./download_source.ts";
export * from "./errors.ts";
export * from "./escape_markdown.ts";
export * from "./fetch.ts";
export * from "./language_tag.ts";
export * from "./title_from_name.ts";
export * from "./types.ts";
export type * from "./capabilities.ts";
