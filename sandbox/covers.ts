/** Whether an absolute path is `folder` or lies below it, as Deno's own flags take a folder. Both without `.` and `..`. */
export function covers(folder: string, path: string): boolean {
  return path === folder || path.startsWith(folder === "/" ? "/" : `${folder}/`);
}
