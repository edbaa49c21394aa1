import { assertEquals } from "@std/assert";
import { CheckedRecords } from "../../src/secure/checked_records.ts";
import { Identity } from "../../src/secure/identity.ts";

const bytes = (length: number, fill: number) => new Uint8Array(length).fill(fill);

Deno.test("checked records: only what was checked, to the byte, and of that author", () => {
  const [a, b] = [Identity.fromSeed("1").id, Identity.fromSeed("2").id];
  const checked = new CheckedRecords();
  const message = bytes(100, 1), signature = bytes(64, 2);
  checked.add(a, message, signature);
  assertEquals(checked.has(a, bytes(100, 1), bytes(64, 2)), true);
  assertEquals(checked.has(b, message, signature), false);
  for (const at of [0, 50, 99]) {
    const other = bytes(100, 1);
    other[at] = 9;
    assertEquals(checked.has(a, other, signature), false);
  }
  for (const at of [0, 3, 4, 63]) {
    const other = bytes(64, 2);
    other[at] = 9;
    assertEquals(checked.has(a, message, other), false);
  }
  // What the caller does with its bytes afterwards changes nothing.
  message[0] = 7;
  assertEquals(checked.has(a, message, signature), false);
  assertEquals(checked.has(a, bytes(100, 1), signature), true);
});

Deno.test("checked records: bounded, the oldest goes first, large ones are not kept", () => {
  const { id } = Identity.fromSeed("1");
  const checked = new CheckedRecords(2);
  for (const fill of [1, 2, 3]) checked.add(id, bytes(100, 1), bytes(64, fill));
  assertEquals(checked.size, 2);
  assertEquals([1, 2, 3].map((fill) => checked.has(id, bytes(100, 1), bytes(64, fill))), [
    false,
    true,
    true,
  ]);
  checked.add(id, bytes(2_000, 1), bytes(64, 4));
  assertEquals(checked.has(id, bytes(2_000, 1), bytes(64, 4)), false);
});
