import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  decodePage,
  decodePageRequest,
  encodeEqual,
  encodePage,
  encodePageRequest,
} from "../../src/directory/pages.ts";
import { DirectoryTable } from "../../src/directory/table.ts";
import { DEFAULT_LIMITS } from "../../src/limits.ts";
import { WireError } from "../../src/wire/bytes.ts";
import { hash, idOf, recordOf } from "./fake_directory.ts";

const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });

Deno.test("a page request comes back as it went", () => {
  fc.assert(fc.property(
    fc.maxSafeNat(),
    fc.maxSafeNat(),
    u32,
    u32,
    (cursor, count, high, low) => {
      const request = { cursor, fingerprint: { count, high, low } };
      assertEquals(decodePageRequest(encodePageRequest(request)), request);
    },
  ));
});

Deno.test("pages together hold every record once, with the seconds it has left", () => {
  const table = new DirectoryTable(idOf(0), DEFAULT_LIMITS, hash);
  for (let i = 0; i < 50; i++) table.put(recordOf(i), 300, 0);
  const seen = new Map<string, number>();
  let cursor = 0, pages = 0, more = true;
  while (more) {
    const bytes = encodePage(table.entries(), cursor, 100_500, 1_000);
    assert(bytes.length <= 1_010);
    const page = decodePage(bytes);
    for (const { seconds, bytes } of page.records) {
      seen.set(String(bytes), seconds);
    }
    ({ cursor, more } = page);
    pages++;
  }
  assertEquals(seen.size, 50);
  assert(pages > 5);
  // Its own record does not age.
  assertEquals([...seen.values()], [300, ...new Array(49).fill(199)]);
});

Deno.test("a record larger than a page still travels", () => {
  const table = new DirectoryTable(idOf(0), DEFAULT_LIMITS, hash);
  table.put(recordOf(1), 300, 0);
  table.put(recordOf(2), 300, 0);
  const page = decodePage(encodePage(table.entries(), 0, 0, 1));
  assertEquals([page.records.length, page.more], [1, true]);
});

Deno.test("an answer of equal tables is one byte", () => {
  assertEquals(encodeEqual().length, 1);
  assertEquals(decodePage(encodeEqual()), { more: false, cursor: 0, records: [] });
});

Deno.test("any bytes are a page, a request, or a WireError", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(3), (tail, first) => {
      const bytes = new Uint8Array([first, ...tail]);
      for (const decode of [decodePage, decodePageRequest]) {
        try {
          decode(bytes);
        } catch (error) {
          assert(error instanceof WireError, String(error));
        }
      }
    }),
    { numRuns: 1_000 },
  );
  assertThrows(() => decodePage(new Uint8Array([3])), WireError);
  assertThrows(() => decodePage(new Uint8Array([0, 0])), WireError);
  assertThrows(
    () => decodePageRequest(new Uint8Array([2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])),
    WireError,
  );
});
