/**
 * From the import of the library to the first message delivered between two nodes, in a fresh process. Prints one JSON object.
 *
 * @module
 */

const start = performance.now();
const { Gossip } = await import("@x/plumtree");
const importMs = performance.now() - start;
const a = await Gossip.listen({ hostname: "127.0.0.1" });
const b = await Gossip.listen({ hostname: "127.0.0.1", bootstrap: [a.address] });
const from = a.join("first"), to = b.join("first");
const received = (async () => {
  for await (const _ of to) break;
})();
await to.ready();
await from.publish(new Uint8Array(100));
await received;
const firstMs = performance.now() - start;
console.log(JSON.stringify({ importMs, firstMs }));
await Promise.all([a.close(), b.close()]);
