import { assertEquals } from "@std/assert";
import { RoundTrip } from "../../src/net/round_trip.ts";

Deno.test("the round trip is the median of the last nine, the cost the least of the last five", () => {
  const trip = new RoundTrip();
  assertEquals([trip.ms, trip.leastMs, trip.samples], [undefined, undefined, 0]);
  trip.add(7);
  assertEquals([trip.ms, trip.leastMs], [7, 7]);
  for (const ms of [3, 50]) trip.add(ms);
  assertEquals([trip.ms, trip.leastMs], [7, 3]);
  // The way has become longer: after five measurements nothing of the shorter one is left.
  for (const ms of [20, 21, 22, 23]) trip.add(ms);
  assertEquals(trip.leastMs, 20);
  trip.add(24);
  assertEquals(trip.leastMs, 20);
  trip.add(25);
  assertEquals([trip.leastMs, trip.samples], [21, 9]);
  for (const ms of [26, 27, 28, 29, 30, 31]) trip.add(ms);
  assertEquals([trip.ms, trip.leastMs, trip.samples], [27, 27, 9]);
});
