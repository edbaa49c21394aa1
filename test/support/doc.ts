/**
 * Reads what `deno doc --json` says of entry points, for the test that every export is documented.
 *
 * @module
 */

/** The part of the JSON that is looked at. */
interface Documentation {
  readonly nodes: Record<string, {
    readonly module_doc?: JsDoc;
    readonly symbols?: readonly {
      readonly name: string;
      readonly declarations: readonly {
        readonly declarationKind: string;
        readonly jsDoc?: JsDoc;
        readonly def?: {
          readonly properties?: readonly Member[];
          readonly methods?: readonly Member[];
        };
      }[];
    }[];
  }>;
}

interface JsDoc {
  readonly doc?: string;
  readonly tags?: readonly { readonly kind: string; readonly doc?: string }[];
}

interface Member {
  readonly name: string;
  readonly accessibility?: string;
  readonly jsDoc?: JsDoc;
}

/** What one entry point lacks, a line each; and how many exports were looked at. */
export interface DocReport {
  readonly exports: number;
  readonly lacks: readonly string[];
}

/** Reads the entry points and tells what they lack: a comment or an example of an export, a comment of a member. */
export async function inspectDocs(entries: readonly URL[]): Promise<DocReport> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--json", ...entries.map(String)],
    stdin: "null",
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(decoder.decode(stderr));
  const { nodes } = JSON.parse(decoder.decode(stdout)) as Documentation;
  const lacks: string[] = [];
  let exports = 0;
  for (const entry of entries) {
    const file = entry.pathname.split("/").at(-1)!;
    const module = nodes[entry.href];
    if (!hasExample(module?.module_doc)) lacks.push(`${file}: the module has no example`);
    for (const { name, declarations } of module?.symbols ?? []) {
      const exported = declarations.filter(({ declarationKind }) => declarationKind === "export");
      if (exported.length === 0) continue;
      exports++;
      // Of overloads and merged declarations one carries the documentation.
      if (!exported.some(({ jsDoc }) => jsDoc?.doc?.trim())) {
        lacks.push(`${file}: ${name} has no comment`);
      }
      if (!exported.some(({ jsDoc }) => hasExample(jsDoc))) {
        lacks.push(`${file}: ${name} has no example`);
      }
      for (const { def } of exported) {
        for (const member of [...def?.properties ?? [], ...def?.methods ?? []]) {
          if (member.accessibility === "private" || member.jsDoc?.doc?.trim()) continue;
          lacks.push(`${file}: ${name}.${member.name} has no comment`);
        }
      }
    }
  }
  return { exports, lacks };
}

/** True where a comment has code that `deno test --doc` runs. */
function hasExample(jsDoc: JsDoc | undefined): boolean {
  return jsDoc?.tags?.some(({ kind, doc }) =>
    kind === "example" && /```ts\s*\n[\s\S]*?\S[\s\S]*?```/.test(doc ?? "")
  ) ?? false;
}
