import { assert, assertEquals, assertLess, assertMatch, assertStringIncludes } from "@std/assert";
import { TextLineStream } from "@std/streams";
import { within } from "./helper.ts";

const ROOT = new URL("../../", import.meta.url);
const EXAMPLES = [...Deno.readDirSync(new URL("examples/", ROOT))]
  .map(({ name }) => name).filter((name) => name.endsWith(".ts")).toSorted();

/** The words of the command in an example's first line, without "deno". */
function command(name: string): string[] {
  const [first] = Deno.readTextFileSync(new URL(`examples/${name}`, ROOT)).split("\n");
  const [, words] = /^\/\/ deno (run .*?)(?:\s+#.*)?$/.exec(first!) ?? [];
  assert(words, `${name}: the first line is the command that runs it, not ${first}`);
  return words.split(/\s+/);
}

interface Result {
  code: number;
  out: string;
  error: string;
}

/** Runs deno from the repository's root until it ends. */
async function deno(args: readonly string[], ms = 60_000): Promise<Result> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [args[0]!, "--no-prompt", ...args.slice(1)],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), ms);
  const { code, stdout, stderr } = await child.output();
  clearTimeout(timer);
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), error: decoder.decode(stderr) };
}

/** A process whose lines are read as they come. */
class Talker {
  readonly lines: string[] = [];
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reading: Promise<void>;
  readonly #errors: Promise<string>;
  #wake = () => {};

  constructor(args: readonly string[]) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [args[0]!, "--no-prompt", ...args.slice(1)],
      cwd: ROOT,
      env: { NO_COLOR: "1" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#reading = this.#read();
    this.#errors = new Response(this.#child.stderr).text();
  }

  async #read(): Promise<void> {
    const lines = this.#child.stdout
      .pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream());
    for await (const line of lines) {
      this.lines.push(line);
      this.#wake();
    }
  }

  say(line: string): Promise<void> {
    return this.#writer.write(new TextEncoder().encode(`${line}\n`));
  }

  /** Waits for a line. */
  async hear(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      for (const line of this.lines) {
        const match = pattern.exec(line);
        if (match) return match;
      }
      const next = new Promise<void>((resolve) => this.#wake = resolve);
      await within(`a line like ${pattern}`, next, 30_000);
    }
  }

  /** Ends its input and waits for its end; resolves with the exit status. */
  async end(): Promise<number> {
    await this.#writer.close().catch(() => {});
    const { code } = await within("the process ends", this.#child.status, 30_000);
    await this.#reading;
    assertEquals(await this.#errors, "");
    return code;
  }

  async kill(): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#child.status;
    await this.#reading;
    await this.#errors;
    await this.#writer.close().catch(() => {});
  }
}

Deno.test("there are examples of a chat, of shards and of embedding", () => {
  const names = ["chat.ts", "shards.ts", "embed.ts", "simulate_my_protocol.ts"];
  for (const name of names) assert(EXAMPLES.includes(name), name);
});

for (const name of EXAMPLES) {
  Deno.test(`examples/${name} has under 100 lines and begins with the command that runs it`, () => {
    const text = Deno.readTextFileSync(new URL(`examples/${name}`, ROOT));
    assertLess(text.trimEnd().split("\n").length, 100);
    const words = command(name);
    assert(words.includes(`examples/${name}`));
    assert(!words.includes("-A") && !words.includes("--allow-all"));
  });
}

for (const name of EXAMPLES.filter((name) => name !== "chat.ts")) {
  Deno.test(`examples/${name} runs to its end with the permissions that its first line names`, async () => {
    const { code, out, error } = await deno(command(name));
    assertEquals([code, error], [0, ""]);
    const shown: Record<string, string> = {
      "shards.ts": "fetched: by node",
      "simulate_my_protocol.ts": "1000 nodes agree on 50 keys",
    };
    assertStringIncludes(out, shown[name] ?? "refused:");
  });
}

Deno.test("examples/chat.ts carries lines between two processes, both ways", async () => {
  const [first, second] = Deno.readTextFileSync(new URL("examples/chat.ts", ROOT)).split("\n");
  assertMatch(second!, /^\/\/ deno run --allow-net examples\/chat\.ts --name bob --bootstrap /);
  assertMatch(first!, /^\/\/ deno run --allow-net examples\/chat\.ts --name ann/);
  const ann = new Talker(command("chat.ts"));
  let bob: Talker | undefined;
  try {
    const [, address] = await ann.hear(/^listening on (127\.0\.0\.1:\d+)$/);
    const words = command("chat.ts").map((word) => word === "ann" ? "bob" : word);
    bob = new Talker([...words, "--bootstrap", address!]);
    await bob.hear(/^connected$/);
    await bob.say("hello, ann");
    await ann.hear(/^bob \([0-9a-f]{8}\): hello, ann$/);
    await ann.say("hello, bob");
    await bob.hear(/^ann \([0-9a-f]{8}\): hello, bob$/);
    await bob.say("bye");
    assertEquals(await bob.end(), 0);
    await ann.hear(/^bob \([0-9a-f]{8}\): bye$/);
    assertEquals(await ann.end(), 0);
  } finally {
    await ann.kill();
    await bob?.kill();
  }
});
