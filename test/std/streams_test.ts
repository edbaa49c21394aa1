import { assertEquals } from "@std/assert";
import { TextLineStream } from "@std/streams";
import fc from "fast-check";

async function lines(chunks: readonly string[]): Promise<string[]> {
  return await Array.fromAsync(
    ReadableStream.from(chunks).pipeThrough(new TextLineStream()),
  );
}

Deno.test("TextLineStream splits at LF and CRLF, wherever the chunks are cut", async () => {
  const text = "one\r\ntwo\n\nthree\rstill three\nfour";
  const expected = ["one", "two", "", "three\rstill three", "four"];
  for (let cut = 0; cut <= text.length; cut++) {
    assertEquals(await lines([text.slice(0, cut), text.slice(cut)]), expected, `cut at ${cut}`);
  }
  assertEquals(await lines([...text]), expected);
});

Deno.test("TextLineStream gives a last line without an end, and none after an end", async () => {
  assertEquals(await lines(["a\nb"]), ["a", "b"]);
  assertEquals(await lines(["a\n"]), ["a"]);
  assertEquals(await lines([""]), []);
  assertEquals(await lines([]), []);
});

Deno.test("TextLineStream is String.split over any chunks", async () => {
  const chunk = fc.string({ unit: fc.constantFrom("a", "\n", "\r\n"), maxLength: 5 });
  await fc.assert(fc.asyncProperty(fc.array(chunk, { maxLength: 6 }), async (chunks) => {
    const expected = chunks.join("").split(/\r?\n/);
    if (expected.at(-1) === "") expected.pop();
    assertEquals(await lines(chunks), expected);
  }));
});
