// The documentation: openapi.json comes in, the page shows it, one section a request. Everything is written as text, nothing
// as markup.

const LONG = 400; // characters of an example that are shown without being asked for

const $ = (id) => document.getElementById(id);

/** An element with a class and what is in it: text and other elements. */
function make(tag, className, ...content) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...content.filter((each) => each !== undefined && each !== null));
  return element;
}

const api = await (await fetch("openapi.json")).json();

/** What a $ref stands for, with what is said beside it. */
function resolve(part) {
  if (!part?.$ref) return part ?? {};
  const { $ref, ...beside } = part;
  const target = $ref.slice(2).split("/").reduce((inside, key) => inside[key], api);
  return { ...resolve(target), ...beside };
}

/** "integer 0 to 9", "array of 28 arrays of 28 integers 0 to 255" */
function typeOf(schema, many = false) {
  const { type, items, minItems, maxItems, minimum, maximum, format, enum: names } = resolve(schema);
  if (names) return names.join(" or ");
  const word = [type ?? "any"].flat().join(" or ") + (many ? "s" : "");
  if (type === "array") {
    const count = minItems === maxItems ? minItems : maxItems && `${minItems} to ${maxItems}`;
    return [word, "of", count, typeOf(items, true)].filter(Boolean).join(" ");
  }
  if (minimum !== undefined && maximum !== undefined) return `${word} ${minimum} to ${Math.round(maximum)}`;
  return format && type === "string" ? { byte: "base64", binary: "file" }[format] ?? word : word;
}

/** The fields of an object, or of each kind of object that there may be. */
function fields(schema) {
  const { anyOf, properties, required = [], description } = resolve(schema);
  if (anyOf) return anyOf.flatMap((one, place) => [...(place ? [make("p", "or", "or")] : []), ...fields(one)]);
  if (!properties) return [];
  const list = make("dl", "fields");
  for (const [name, field] of Object.entries(properties)) {
    const term = make("dt", "", make("code", "", name), make("span", "type", ` ${typeOf(field)}`));
    if (required.includes(name)) term.append(make("span", "required", " required"));
    list.append(make("div", "", term, make("dd", "", resolve(field).description ?? "")));
  }
  return [description ? make("p", "", description) : null, list].filter(Boolean);
}

/** JSON as one would write it: what fits into a line is in one. */
function pretty(value, indent = "") {
  const line = JSON.stringify(value, null, 1).replace(/\n\s*/g, " ").replace(/([[{]) /g, "$1").replace(/ ([\]}])/g, "$1");
  if (line.length + indent.length < 100 || typeof value !== "object") return line;
  const deeper = `${indent}  `;
  const parts = Array.isArray(value)
    ? value.map((each) => deeper + pretty(each, deeper))
    : Object.entries(value).map(([key, each]) => `${deeper}${JSON.stringify(key)}: ${pretty(each, deeper)}`);
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  return `${open}\n${parts.join(",\n")}\n${indent}${close}`;
}

/** Examples of a body; long ones are opened by hand. */
function examples(media) {
  return Object.entries(media.examples ?? {}).map(([name, { value }]) => {
    const text = typeof value === "string" ? value : pretty(value);
    const label = make("summary", "", `Example: ${name}`);
    const example = make("details", "example", label, make("pre", "", text));
    example.open = text.length < LONG;
    return example;
  });
}

/** A body by its content types: fields and examples. */
function body(content = {}) {
  return Object.entries(content).map(([type, media]) =>
    make("div", "body", make("p", "media", make("code", "", type)), ...fields(media.schema), ...examples(media)),
  );
}

function answer(status, response) {
  const { description, content } = resolve(response);
  const line = [make("b", status < "400" ? "good" : "bad", status), ` ${description}`];
  if (status >= "400") return make("p", "answer", ...line);
  return make("div", "answer", make("p", "", ...line), ...body(content));
}

function section(path, method, operation) {
  const title = make("h3", "", make("span", `method ${method}`, method.toUpperCase()), " ", make("code", "", path));
  const part = make("section", "operation", title, make("p", "summary", `${operation.summary}.`));
  part.id = operation.operationId;
  if (operation.description) part.append(make("p", "", operation.description));
  if (operation.requestBody) part.append(make("h4", "", "Request"), ...body(operation.requestBody.content));
  part.append(make("h4", "", "Answer"));
  for (const [status, response] of Object.entries(operation.responses)) part.append(answer(status, response));
  return part;
}

$("title").textContent = api.info.title;
$("version").textContent = api.info.version;
$("about").textContent = api.info.description;
for (const { name, description } of api.tags) {
  const links = make("ul", "");
  const group = make("section", "group", make("h2", "", name), description ? make("p", "", description) : null);
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      if (!operation.tags.includes(name)) continue;
      group.append(section(path, method, operation));
      const link = make("a", "", make("span", `method ${method}`, method.toUpperCase()), make("span", "", path));
      link.href = `${location.pathname}#${operation.operationId}`;
      links.append(make("li", "", link));
    }
  }
  $("operations").append(group);
  $("contents").append(make("h2", "", name), links);
}
$("operations").setAttribute("aria-busy", "false");
if (location.hash) $(location.hash.slice(1))?.scrollIntoView();
