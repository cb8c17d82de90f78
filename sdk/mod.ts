/**
 * `@carrel/sdk`: what plugin authors import.
 * @module
 */
export * from "./define_plugin.ts";
export * from "./errors.ts";
export * from "./fetch.ts";
export * from "./types.ts";
