import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { GossipError } from "../../src/errors.ts";
import { StreamTransport } from "../../src/net/transport.ts";
import { TcpNetwork } from "../../src/net/tcp.ts";
import { Identity } from "../../src/secure/identity.ts";
import { Lane } from "../../src/wire/frames.ts";
import { frame, rawPeer, Recorder, startNode, until } from "./helper.ts";

Deno.test("TCP carries frames both ways, large and small, and closes cleanly", async () => {
  await using a = startNode(undefined);
  await using b = startNode(undefined);
  assertEquals(await a.transport.dial(b.address), b.id);
  const sent = [3, 1_000, 20_000, 3 << 20, 17].map((length, i) => frame(length, i));
  for (const bytes of sent) {
    assert(a.transport.send(b.id, Lane.NORMAL, bytes));
    assert(b.transport.send(a.id, Lane.BULK, bytes));
  }
  await until(() => a.sink.frames.length === 5 && b.sink.frames.length === 5);
  assertEquals(a.sink.frames, sent);
  assertEquals(b.sink.frames, sent);
  await until(() => a.transport.rtt(b.id) !== undefined);
  const info = a.transport.link(b.id)!;
  assert(info.bytesIn > 3 << 20 && info.bytesOut > 3 << 20 && info.queuedBytes === 0);
  await b.transport.close();
  await a.sink.until(() => a.sink.count("down") === 1);
  assertEquals(a.sink.last("down")?.reason, "left");
});

Deno.test("TCP addresses may be names, IPv4 and IPv6", async () => {
  const six = new StreamTransport({ identity: Identity.generate(), hostname: "::" });
  const sink = new Recorder();
  six.start(sink);
  await using a = startNode(undefined);
  assertEquals(six.addresses, [], "bound to every address, nothing seen yet");
  const id = await a.transport.dial(`[::1]:${six.port}`);
  await sink.until(() => sink.count("addressChanged") === 1);
  assertEquals(six.addresses, [`[::1]:${six.port}`]);
  await using b = startNode(undefined);
  assertEquals(await b.transport.dial(`localhost:${six.port}`), id);
  await using c = startNode(undefined);
  assertEquals(await c.transport.dial(`127.0.0.1:${six.port}`), id);
  await sink.until(() => six.addresses.includes(`127.0.0.1:${six.port}`));
  await six.close();
});

Deno.test("TCP failures are typed errors with a cause", async () => {
  await using a = startNode(undefined);
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const taken = new StreamTransport({ identity: Identity.generate(), hostname: "127.0.0.1", port });
  const failed = assertThrows(() => taken.start(new Recorder()), GossipError);
  assertEquals(failed.code, "listen-failed");
  assert(failed.cause instanceof Error);
  await taken.close();
  listener.close();
  const error = await assertRejects(() => a.transport.dial(`127.0.0.1:${port}`), GossipError);
  assertEquals(error.code, "dial-failed");
  assert(error.cause instanceof Error);
  assertThrows(
    () => new StreamTransport({ identity: Identity.generate(), port: 70_000 }),
    RangeError,
  );
  assertThrows(
    () => new StreamTransport({ identity: Identity.generate(), advertise: "x" }),
    TypeError,
  );
});

Deno.test("a node that does not listen dials out and has no address", async () => {
  await using a = startNode(undefined, { listen: false });
  await using b = startNode(undefined);
  await a.transport.dial(b.address);
  assertEquals(a.transport.addresses, []);
  assertEquals(b.transport.addresses, [b.address]);
  assertEquals(b.transport.link(a.id)?.direction, "in");
});

Deno.test("a TCP peer that never reads holds up neither the others nor close", async () => {
  const limits = { laneBytes: 16 << 20 };
  const node = startNode(undefined, { timing: { closeMs: 100 }, limits });
  await using other = startNode(undefined);
  await other.transport.dial(node.address);
  const stuck = await rawPeer(new TcpNetwork(), node.transport.port);
  await node.sink.until(() => node.sink.count("up") === 2);
  // More than the system's own buffers take, so that a write stays under way.
  while (node.transport.send(stuck.id, Lane.NORMAL, frame(100_000)));
  await node.sink.until(() => node.transport.link(stuck.id)!.bytesOut > 1 << 20);
  for (let i = 1; i <= 20; i++) {
    assert(node.transport.send(other.id, Lane.NORMAL, frame(10)));
    await other.sink.until(() => other.sink.frames.length === i);
  }
  assert(node.transport.link(stuck.id)!.queuedBytes > 1 << 20, "it is still stuck");
  await node.transport.close();
  assertEquals(node.sink.count("down"), 2);
  stuck.duplex.close();
});
