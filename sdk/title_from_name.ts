/**
 * A title made of a URL or a file name, for what has none of its own: `upload:my_notes.md` → `my notes`.
 * `ending` is what is cut off the file's name.
 */
export function titleFromName(name: string, ending: RegExp = /\.\w{1,9}$/): string {
  const file = name.replace(/[?#].*$/, "").replace(/^upload:/, "").split("/").at(-1) || name;
  let decoded = file;
  try {
    decoded = decodeURIComponent(file);
  } catch {
    // A stray per cent sign is part of the name.
  }
  return decoded.replace(ending, "").replace(/[_\s]+/g, " ").trim() || name;
}
