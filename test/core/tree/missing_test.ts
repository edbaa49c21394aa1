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
