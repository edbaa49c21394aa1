import { assertEquals, assertThrows } from "@std/assert";
import { setImmediate } from "node:timers";
import { atEndOfTurn, readAtEndOfTurn, takeInTurn, writeAtEndOfTurn } from "../../src/net/turn.ts";

const turnEnds = () => new Promise<void>((resolve) => setImmediate(resolve));

Deno.test("what was read is taken in one by one, and whom it wakes goes before the next", async () => {
  const order: string[] = [];
  for (const n of [1, 2, 3]) {
    takeInTurn(() => {
      order.push(`take ${n}`);
      void Promise.resolve().then(() => order.push(`woken ${n}`));
    });
  }
  assertEquals(order, ["take 1"]);
  await turnEnds();
  assertEquals(order, ["take 1", "woken 1", "take 2", "woken 2", "take 3", "woken 3"]);
});

Deno.test("at the end of a turn writes go before reads, behind all that was taken in", async () => {
  const order: string[] = [];
  for (const n of [1, 2]) {
    takeInTurn(() => {
      order.push(`take ${n}`);
      readAtEndOfTurn(() => order.push(`read ${n}`));
      writeAtEndOfTurn(() => {
        order.push(`write ${n}`);
        writeAtEndOfTurn(() => order.push(`next ${n}`));
      });
    });
  }
  await turnEnds();
  assertEquals(order, ["take 1", "take 2", "write 1", "write 2", "read 1", "read 2"]);
  await turnEnds();
  assertEquals(order.slice(6), ["next 1", "next 2"]);
});

Deno.test("what waited for the end of a turn is written in it", async () => {
  const order: string[] = [];
  writeAtEndOfTurn(() => order.push("write 1"));
  atEndOfTurn(() => {
    order.push("end");
    writeAtEndOfTurn(() => order.push("write 2"));
    atEndOfTurn(() => order.push("next"));
  });
  await turnEnds();
  assertEquals(order, ["end", "write 1", "write 2"]);
  await turnEnds();
  assertEquals(order[3], "next");
});

Deno.test("one that throws does not hold up those behind it", async () => {
  const taken: number[] = [];
  assertThrows(() =>
    takeInTurn(() => {
      takeInTurn(() => taken.push(1));
      throw new SyntaxError("no");
    }), SyntaxError);
  await turnEnds();
  takeInTurn(() => taken.push(2));
  assertEquals(taken, [1, 2]);
});

Deno.test("a write that throws puts off those behind it and loses none, reads included", async () => {
  const done: string[] = [], caught: unknown[] = [];
  const onError = (event: ErrorEvent): void => {
    caught.push(event.error);
    event.preventDefault();
  };
  addEventListener("error", onError);
  try {
    writeAtEndOfTurn(() => {
      throw new SyntaxError("no");
    });
    writeAtEndOfTurn(() => done.push("write"));
    readAtEndOfTurn(() => done.push("read"));
    for (let turn = 0; turn < 3; turn++) await turnEnds();
  } finally {
    removeEventListener("error", onError);
  }
  assertEquals(caught.map(String), ["SyntaxError: no"]);
  assertEquals(done.sort(), ["read", "write"]);
});
