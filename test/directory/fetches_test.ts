import { assertEquals } from "@std/assert";
import { FETCH_PAUSE_MS, Fetches } from "../../src/directory/fetches.ts";
import { VirtualTime } from "../support/virtual_time.ts";

Deno.test("tables are fetched one after the other, with a pause after one that brought something", async () => {
  const time = new VirtualTime(), asked: string[] = [];
  const pages: Record<string, number> = { a: 1, b: 0, c: 1, d: 1 };
  const fetches = new Fetches({
    clock: time,
    fetch: (peer) => {
      asked.push(peer);
      return Promise.resolve(pages[peer]!);
    },
  });
  for (const peer of ["a", "b", "c", "d"]) fetches.want(peer);
  assertEquals(asked, ["a"]);
  await time.run(FETCH_PAUSE_MS - 1);
  assertEquals(asked, ["a"]);
  fetches.forget("d");
  await time.run(2);
  assertEquals(asked, ["a", "b", "c"], "b had nothing");
  await time.run(2 * FETCH_PAUSE_MS);
  assertEquals([asked.length, fetches.size], [3, 0]);
  fetches.want("d");
  fetches.close();
  fetches.want("a");
  await time.run(2 * FETCH_PAUSE_MS);
  assertEquals(asked, ["a", "b", "c", "d"]);
  assertEquals(time.pending, 0);
});
