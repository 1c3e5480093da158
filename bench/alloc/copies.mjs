// A copy of a module, and of all that it imports, for one use of it.
//
// V8 keeps what it learns of a function (types, call targets, whether a closure was made once) with the function's text in its module.
// Two allocators that run through the same loop, or two machines made by the same factory, teach it two things at once and slow each
// other down. `importCopy` imports a module under an address of its own, and the hook below hands that address on to its imports.
import { register } from 'node:module';

let copies = 0;

/** The module at a path relative to this file, in a copy that nobody else has. Further words go into its address, as `touched: 1`. */
export function importCopy(path, words = {}) {
  const url = new URL(path, import.meta.url);
  url.search = String(new URLSearchParams({ copy: String(++copies), ...words }));
  return import(url.href);
}

/** Switches the hook on. Once a thread. */
export function registerCopies() {
  register(import.meta.url);
}

/** The hook: what a copy imports is part of the copy. Node's own modules are everybody's. */
export async function resolve(specifier, context, next) {
  const found = await next(specifier, context);
  if (context.parentURL === undefined || !found.url.startsWith('file:')) return found;
  const { search } = new URL(context.parentURL);
  const url = new URL(found.url);
  if (search === '' || url.search !== '') return found;
  url.search = search;
  return { ...found, url: url.href };
}
