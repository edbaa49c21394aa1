/**
 * Loaded before a module (`deno run --preload`): records which parts of the world it touches while it is imported, and prints them
 * as one line of JSON when it has been.
 *
 * @module
 */

const touched = new Set<string>();

function watchCalls(owner: object, key: string, name: string): void {
  const real = Reflect.get(owner, key) as (...parts: unknown[]) => unknown;
  Reflect.set(owner, key, function (this: unknown, ...parts: unknown[]): unknown {
    touched.add(name);
    return Reflect.apply(real, this, parts);
  });
}

watchCalls(Date, "now", "Date.now");
watchCalls(performance, "now", "performance.now");
watchCalls(Math, "random", "Math.random");
watchCalls(crypto, "getRandomValues", "crypto.getRandomValues");
for (const key of ["setTimeout", "setInterval", "fetch"]) watchCalls(globalThis, key, key);

const watched = new Proxy(Date, {
  construct(target, parts, made) {
    if (parts.length === 0) touched.add("Date");
    return Reflect.construct(target, parts, made) as Date;
  },
});
Object.defineProperty(globalThis, "Date", { value: watched, configurable: true, writable: true });

const deno = Deno;
Object.defineProperty(globalThis, "Deno", {
  configurable: true,
  value: new Proxy(deno, {
    get(target, key) {
      touched.add(`Deno.${String(key)}`);
      return Reflect.get(target, key) as unknown;
    },
  }),
});

addEventListener("load", () => console.log(JSON.stringify([...touched].sort())));
