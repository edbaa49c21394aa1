import { assert, assertEquals } from "@std/assert";
import { Nodes, until } from "./helper.ts";

for (const activeSize of [3, 5]) {
  Deno.test(`every directory becomes complete where views hold ${activeSize} of 12 nodes`, async () => {
    await using nodes = new Nodes();
    const made = await nodes.many(12, { overlay: { activeSize } });
    const complete = () => made.every(({ directory }) => directory.size === made.length);
    await until("every directory is complete", complete, 20_000);
    made[5]!.join("news");
    const found = () => made.every((node) => node.directory.lookup("news")[0]?.id === made[5]!.id);
    await until("everybody finds the member", found);
    await nodes.kill(made[7]!);
    await made[8]!.close();
    const rest = made.filter((_, i) => i !== 7 && i !== 8);
    await until("who left is gone", () => rest.every((n) => !n.directory.get(made[8]!.id)));
    // Who crashed said nothing: it is listed until its record runs out.
    assert(rest.every((node) => node.directory.get(made[7]!.id)));
    assertEquals(new Set(rest.map(({ directory }) => directory.size)), new Set([11]));
  });
}
