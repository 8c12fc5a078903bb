// Cells as a spreadsheet puts them on the clipboard: tabs between, a line each, quotes around what holds either.

export function parse(text) {
  const rows = [[]];
  const cell = /("(?:[^"]|"")*"|[^\t\n]*)(\t|\n|$)/y;
  const plain = text.replace(/\r\n?/g, "\n").replace(/\n$/, "");
  for (;;) {
    const [whole, content, end] = cell.exec(plain) ?? [];
    if (whole === undefined) return loosely(plain); // a quote that nothing closes: take it as it stands
    const quoted = content.length > 1 && content.startsWith('"');
    rows.at(-1).push(quoted ? content.slice(1, -1).replaceAll('""', '"').replaceAll("\n", " ") : content);
    if (end === "") return rows;
    if (end === "\n") rows.push([]);
  }
}

function loosely(text) {
  return text.split("\n").map((line) => line.split("\t"));
}
