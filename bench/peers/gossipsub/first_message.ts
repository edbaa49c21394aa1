/**
 * From the import of libp2p to the first message delivered between two nodes, in a fresh process. Prints one JSON object.
 *
 * @module
 */

const start = performance.now();
const { startPeer } = await import("./peer.ts");
const importMs = performance.now() - start;
const a = await startPeer(false), b = await startPeer(false);
a.services.pubsub.subscribe("first");
b.services.pubsub.subscribe("first");
const received = new Promise<void>((resolve) =>
  b.services.pubsub.addEventListener("message", () => resolve(), { once: true })
);
await b.dial(a.getMultiaddrs());
// What is published before the streams are up is lost: again and again, until one arrives.
const again = setInterval(() => {
  void a.services.pubsub.publish("first", crypto.getRandomValues(new Uint8Array(100)));
}, 5);
await received;
clearInterval(again);
console.log(JSON.stringify({ importMs, firstMs: performance.now() - start }));
Deno.exit();
