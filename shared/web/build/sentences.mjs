// Finds sentences in components that the linter's rule does not see: literals in
// braces, templates and choices ({open ? "Close" : "Open"}), as children and in
// attributes that are shown or read out. Sentences live in the message catalogues.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import ts from "typescript";

/** Attributes of elements, and of components here, that people see or hear. */
const said = new Set([
  "aria-label", "aria-description", "aria-roledescription", "aria-valuetext", "title", "placeholder", "alt",
  "label", "legend", "hint", "note", "detail", "error", "description",
]);
const words = /\p{L}{2}/u;

/** Returns "line: sentence" of each literal sentence in a component's source. */
export function sentencesIn(name, text) {
  const source = ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true, ts.ScriptKind.TSX);
  const found = [];
  const report = (node, sentence) => {
    if (words.test(sentence)) found.push(`${source.getLineAndCharacterOfPosition(node.getStart()).line + 1}: ${sentence.trim()}`);
  };
  /** What an expression shows: its literals, through choices. */
  const shown = (node) => {
    if (ts.isParenthesizedExpression(node)) shown(node.expression);
    else if (ts.isConditionalExpression(node)) [node.whenTrue, node.whenFalse].forEach(shown);
    else if (ts.isBinaryExpression(node)) {
      const kind = node.operatorToken.kind;
      if (kind === ts.SyntaxKind.PlusToken) shown(node.left);
      if ([ts.SyntaxKind.PlusToken, ts.SyntaxKind.AmpersandAmpersandToken, ts.SyntaxKind.BarBarToken, ts.SyntaxKind.QuestionQuestionToken].includes(kind)) shown(node.right);
    } else if (ts.isStringLiteralLike(node)) report(node, node.text);
    else if (ts.isTemplateExpression(node)) report(node, [node.head, ...node.templateSpans.map((s) => s.literal)].map((part) => part.text).join(" "));
  };
  const visit = (node) => {
    if (ts.isJsxText(node)) report(node, node.text);
    else if (ts.isJsxExpression(node) && node.expression && !ts.isJsxAttribute(node.parent)) shown(node.expression);
    else if (ts.isJsxAttribute(node) && said.has(node.name.getText()) && node.initializer) {
      if (ts.isStringLiteral(node.initializer)) report(node, node.initializer.text);
      else if (ts.isJsxExpression(node.initializer) && node.initializer.expression) shown(node.initializer.expression);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const found = process.argv.slice(2).flatMap((root) =>
    readdirSync(root, { recursive: true })
      .filter((file) => file.endsWith(".tsx") && !file.endsWith(".test.tsx"))
      .flatMap((file) => sentencesIn(file, readFileSync(join(root, file), "utf8")).map((s) => `${join(root, file)}:${s}`)),
  );
  for (const line of found) console.error(line);
  if (found.length > 0) {
    console.error("Put these sentences into the message catalogues, in every language: shared/web/DESIGN.md, Messages.");
    process.exit(1);
  }
}
