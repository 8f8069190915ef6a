// Prints what AsyncAPI's official parser has to say about a document: an empty list, or what is wrong and where.
import { readFile } from "node:fs/promises";
import { Parser } from "@asyncapi/parser";

const { path } = JSON.parse(process.argv[2]);
const { document, diagnostics } = await new Parser().parse(await readFile(path, "utf8"));
const problems = diagnostics.filter(({ code }) => code !== "asyncapi-latest-version"); // 3.0 is what tools understand
console.log(JSON.stringify({
  operations: document?.allOperations().length ?? 0,
  problems: problems.map(({ code, message, path: place }) => `${place.join(".")}: ${message} (${code})`),
}));
