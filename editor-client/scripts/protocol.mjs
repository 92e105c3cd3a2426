// Writes src/protocol.ts from the project's schema, ../protocol/openrpc.json. With --check it only says whether the file is stale.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const PREFIX = "rooroute/";

const nameOf = (ref) =>
  ref
    .split("/")
    .at(-1)
    .replace(/[^A-Za-z0-9_]/g, "_");
const key = (name) => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name));

/** One JSON Schema as a TypeScript type. */
function type(schema) {
  if (schema === true || schema === undefined || Object.keys(schema).length === 0) return "unknown";
  if (schema.$ref) return nameOf(schema.$ref);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return [...new Set(choices.map(type))].join(" | ");
  if (schema.allOf) return schema.allOf.map(type).join(" & ");
  if (Array.isArray(schema.type)) return schema.type.map((one) => type({ ...schema, type: one })).join(" | ");
  switch (schema.type) {
    case "string":
      return "string";
    case "integer":
    case "number":
      return "number";
    case "boolean":
      return "boolean";
    case "null":
      return "null";
    case "array":
      return schema.items ? `Array<${type(schema.items)}>` : "unknown[]";
    default:
      return schema.properties ? object(schema) : record(schema);
  }
}

function record(schema) {
  const value = typeof schema.additionalProperties === "object" ? type(schema.additionalProperties) : "unknown";
  return schema.additionalProperties === false ? "Record<string, never>" : `Record<string, ${value}>`;
}

function object(schema) {
  const required = new Set(schema.required ?? []);
  const fields = Object.entries(schema.properties).map(
    ([name, field]) => `${comment(field, "  ")}  ${key(name)}${required.has(name) ? "" : "?"}: ${type(field)};\n`,
  );
  if (schema.additionalProperties === true) fields.push("  [more: string]: unknown;\n");
  return `{\n${fields.join("")}}`;
}

function comment(schema, indent) {
  if (!schema?.description) return "";
  const lines = schema.description.replace(/\*\//g, "* /").split("\n");
  return lines.length === 1
    ? `${indent}/** ${lines[0]} */\n`
    : `${indent}/**\n${lines.map((line) => `${indent} * ${line}`.trimEnd()).join("\n")}\n${indent} */\n`;
}

export function generate(document) {
  const out = ["/* Generated from protocol/openrpc.json by `npm run generate`. Do not edit. */\n"];
  out.push(
    `export const PROTOCOL_VERSION = ${JSON.stringify(document.info["x-protocolVersion"] ?? document.info.version)};\n`,
  );
  for (const [name, schema] of Object.entries(document.components.schemas))
    out.push(
      `${comment(schema, "")}export ${schema.properties ? `interface ${nameOf(name)} ${object(schema)}` : `type ${nameOf(name)} = ${type(schema)};`}\n`,
    );
  const methods = document.methods.filter((method) => method.name.startsWith(PREFIX) && method.result);
  const rows = methods.map((method) => {
    const short = method.name.slice(PREFIX.length);
    return `${comment({ description: method.summary }, "  ")}  ${JSON.stringify(short)}: { params: ${params(method)}; result: ${type(method.result.schema)} };\n`;
  });
  out.push(
    `/** The requests a client may send, by their name after "${PREFIX}". */\nexport interface Methods {\n${rows.join("")}}\n`,
  );
  return out.join("\n");
}

/** Either one param that is the whole object, or one param for each of its fields. */
function params(method) {
  const whole = method["x-params"] ?? method["x-paramsSchema"];
  if (whole) return type(whole);
  if (method.params.length === 0) return "Record<string, never>";
  const [first] = method.params;
  if (method.params.length === 1 && first.name === "params") return type(first.schema);
  return object({
    properties: Object.fromEntries(method.params.map((param) => [param.name, param.schema])),
    required: method.params.filter((param) => param.required).map((param) => param.name),
  });
}

export const TARGET = path.join(root, "src/protocol.ts");
export const SOURCE = process.env.OPENRPC ?? path.resolve(root, "../protocol/openrpc.json");
export const current = () => generate(JSON.parse(fs.readFileSync(SOURCE, "utf8")));

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const fresh = current();
  if (!process.argv.includes("--check")) fs.writeFileSync(TARGET, fresh);
  else if (fs.readFileSync(TARGET, "utf8") !== fresh) {
    console.error("src/protocol.ts is stale: run `npm run generate`.");
    process.exit(1);
  }
}
