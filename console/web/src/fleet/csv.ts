import type { NewSite } from "../api/resources";

export interface SiteRow {
  site: { site_id: string; name: string } & Partial<Pick<NewSite, "tags" | "zone" | "link_profile">>;
}

export interface Fault {
  line: number;
  what: "header" | "id" | "twice" | "profile";
}

const idPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const profiles = ["default", "economy", "crisis"] as const;

/** The fields of a CSV text (RFC 4180); rows of nothing are left out. */
export function parseCSV(text: string): { line: number; fields: string[] }[] {
  const rows: { line: number; fields: string[] }[] = [];
  let fields: string[] = [];
  let field = "";
  let quoted = false;
  let line = 1;
  let begun = 1;
  const end = () => {
    fields.push(field);
    if (fields.some((f) => f.trim() !== "")) rows.push({ line: begun, fields });
    fields = [];
    field = "";
    begun = line;
  };
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (c === "\n") line++;
    if (quoted) {
      if (c !== '"') field += c;
      else if (text[i + 1] === '"') field += text[++i]!;
      else quoted = false;
    } else if (c === '"' && field === "") quoted = true;
    else if (c === ",") {
      fields.push(field);
      field = "";
    } else if (c === "\n") end();
    else if (c !== "\r" && c !== "\uFEFF") field += c;
  }
  end();
  return rows;
}

/** Sites of a CSV file whose first line names its columns; what is wrong is named with its line, and the rest is taken. */
export function parseSites(text: string): { rows: SiteRow[]; wrong: Fault[] } {
  const [header, ...lines] = parseCSV(text);
  const at = new Map((header?.fields ?? []).map((name, i) => [name.trim().toLowerCase(), i]));
  if (!at.has("site_id")) return { rows: [], wrong: [{ line: 1, what: "header" }] };
  const rows: SiteRow[] = [];
  const wrong: Fault[] = [];
  const seen = new Set<string>();
  for (const { line, fields } of lines) {
    const get = (name: string) => fields[at.get(name) ?? -1]?.trim() ?? "";
    const id = get("site_id");
    const profile = get("link_profile");
    if (!idPattern.test(id)) wrong.push({ line, what: "id" });
    else if (seen.has(id)) wrong.push({ line, what: "twice" });
    else if (profile !== "" && !profiles.some((p) => p === profile)) wrong.push({ line, what: "profile" });
    else {
      const tags = get("tags").split(/[;,\s]+/).filter(Boolean);
      rows.push({ site: {
        site_id: id, name: get("name") || id, ...(tags.length > 0 ? { tags } : {}), ...(get("zone") ? { zone: get("zone") } : {}),
        ...(profile ? { link_profile: profile as (typeof profiles)[number] } : {}),
      } });
    }
    seen.add(id);
  }
  return { rows, wrong };
}
