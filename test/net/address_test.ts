import { assertEquals, assertThrows } from "@std/assert";
import { formatAddress, hostOf, parseAddress, plainHost } from "../../src/net/address.ts";
import { OwnAddresses } from "../../src/net/own_addresses.ts";

const ID = "0123456789abcdef".repeat(4);

Deno.test("addresses are read with names, IPv4, IPv6 and ids", () => {
  assertEquals(parseAddress("10.0.0.2:7946"), { id: undefined, hostname: "10.0.0.2", port: 7946 });
  assertEquals(parseAddress("boot-1.example.org:80").hostname, "boot-1.example.org");
  assertEquals(parseAddress("[::1]:65535"), { id: undefined, hostname: "::1", port: 65_535 });
  assertEquals(parseAddress("[fe80::1%eth0]:9").hostname, "fe80::1%eth0");
  assertEquals(parseAddress(`${ID}@[::1]:1`), { id: ID, hostname: "::1", port: 1 });
});

Deno.test("anything else is a TypeError", () => {
  const wrong = ["", "host", "host:", ":1", "host:0", "host:65536", "host:-1", "host:1x", "a b:1"];
  wrong.push("::1:1", "[::1]", "[host]:1", "[::1]x:1", "id@host:1", `${ID.toUpperCase()}@host:1`);
  wrong.push(`${ID}@`, "host:00000080", "ho/st:1", "-a:1", `${"a".repeat(500)}:1`);
  for (const text of wrong) assertThrows(() => parseAddress(text), TypeError, "not an address");
  assertThrows(() => parseAddress(undefined as unknown as string), TypeError);
});

Deno.test("hosts and ports make addresses, and addresses hosts", () => {
  assertEquals(formatAddress("::1", 5), "[::1]:5");
  assertEquals(formatAddress("host", 5), "host:5");
  assertEquals(hostOf("[::1]:5"), "::1");
  assertEquals(hostOf("host:5"), "host");
  assertEquals(plainHost("::ffff:10.1.2.3"), "10.1.2.3");
  assertEquals(plainHost("fe80::1"), "fe80::1");
});

Deno.test("a node bound to every address learns its own from connections, far ones first", () => {
  let changes = 0;
  const own = new OwnAddresses(undefined, () => changes++);
  own.bound("0.0.0.0", 7000);
  assertEquals(own.list, []);
  own.seen("127.0.0.1:7000");
  own.seen("10.0.0.1:51234");
  own.seen("10.0.0.1:7000");
  assertEquals(own.list, ["10.0.0.1:7000", "127.0.0.1:7000"]);
  assertEquals(changes, 2);
  for (let i = 2; i < 100; i++) own.seen(`10.0.0.${i}:1`);
  assertEquals(own.list.length, 8);
});

Deno.test("a node that advertises or is bound to one address learns nothing", () => {
  const advertised = new OwnAddresses("gossip.example.org:1", () => {});
  advertised.bound("0.0.0.0", 7000);
  advertised.seen("10.0.0.1:7000");
  assertEquals(advertised.list, ["gossip.example.org:1"]);
  const bound = new OwnAddresses(undefined, () => {});
  bound.bound("::1", 7000);
  bound.seen("10.0.0.1:7000");
  assertEquals(bound.list, ["[::1]:7000"]);
});
