import { assertEquals } from "@std/assert";
import { Chase, Missing } from "../../../src/core/tree/missing.ts";

/** One id that was announced by link 1 at time 0. */
function chased(): { missing: Missing; handle: number; tell: () => number } {
  const missing = new Missing(16, 4, () => 0.5, () => {});
  const handle = missing.add(new Uint8Array(32).fill(7), 0, 0, 1, 0, 10);
  const tell = () => {
    missing.announce(handle, 1, 0, false, 10);
    return missing.state(handle);
  };
  tell();
  return { missing, handle, tell };
}

Deno.test("a chase that stands still because links went begins again with the next announcement, a bounded number of times", () => {
  const { missing, handle, tell } = chased();
  for (let i = 0; i < 31; i++) {
    missing.stop(handle, Chase.IDLE, 10);
    assertEquals(tell(), Chase.WAITING);
  }
  missing.stop(handle, Chase.IDLE, 10);
  assertEquals(tell(), Chase.IDLE);
});

Deno.test("an id that was given up is chased three times more, however often links went before, and reported once", () => {
  const { missing, handle, tell } = chased();
  for (let i = 0; i < 31; i++) {
    missing.stop(handle, Chase.IDLE, 10);
    tell();
  }
  for (let i = 0; i < 3; i++) {
    assertEquals(missing.stop(handle, Chase.GIVEN_UP, Infinity), i === 0);
    assertEquals(tell(), Chase.WAITING);
    missing.stop(handle, Chase.IDLE, 10);
    assertEquals(tell(), Chase.WAITING);
  }
  missing.stop(handle, Chase.GIVEN_UP, Infinity);
  assertEquals(tell(), Chase.GIVEN_UP);
});

Deno.test("what was given up is held and no longer open", () => {
  const missing = new Missing(16, 4, () => 0.5, () => {});
  const handles = Array.from({ length: 5 }, (_, n) => {
    const handle = missing.add(new Uint8Array(20).fill(n), 0, 0, 1, 0, 10);
    missing.announce(handle, 1, 0, false, 10);
    return handle;
  });
  assertEquals([missing.size, missing.open], [5, 5]);
  for (const handle of handles.slice(0, 3)) missing.stop(handle, Chase.GIVEN_UP, Infinity);
  assertEquals([missing.size, missing.open], [5, 2]);
  missing.remove(handles[0]!);
  missing.announce(handles[1]!, 1, 0, false, 10);
  assertEquals([missing.size, missing.open], [4, 3], "a chase began again");
});
