/**
 * `@carrel/sdk`: what plugin authors import.
 * @module
 */
export * from "./decode_text.ts";
export * from "./define_plugin.ts";
export * from "./errors.ts";
export * from "./escape_markdown.ts";
export * from "./fetch.ts";
export * from "./types.ts";
