/** Parts of SQL that a literal could be taken for a part of, or the other way round (manual, "Lexical Structure"). */
const PART = new RegExp(
  [
    /(?<literal>[eE]'(?:[^'\\]|\\[\s\S]|'')*'|(?:[bBxXnN]|[uU]&)?'(?:[^']|'')*'|\$(?<tag>(?:[A-Za-z_\x80-\uffff][\w\x80-\uffff]*)?)\$[\s\S]*?\$\k<tag>\$)/,
    /(?<name>(?:[uU]&)?"(?:[^"]|"")*")/,
    /(?<word>[A-Za-z_\x80-\uffff][\w$\x80-\uffff]*)/,
    /(?<parameter>\$\d+)/,
    /(?<number>(?:\d\w*(?:\.\w*)?|\.\d\w*)(?:(?<=[eE])[+-]\d+)?)/,
    /(?<comment>--[^\n]*|\/\*)/,
    /(?<other>[\s\S])/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'y',
)

/** A query's text with `?` in place of its literals, and without its comments: what may be secret in it. */
export function sanitize(text: string): string {
  let shown = ''
  PART.lastIndex = 0
  for (let match = PART.exec(text); match !== null; match = PART.exec(text)) {
    const { literal, number, comment, other } = match.groups!
    const [part] = match
    const end = PART.lastIndex
    // Where standard_conforming_strings is off, a quote behind a backslash ends nothing: nobody knows what the rest hides.
    if (literal?.includes("\\'") && !/^[eE$]/.test(literal)) return `${shown}?`
    if (literal !== undefined || number !== undefined) shown += '?'
    else if (comment !== undefined) {
      shown += ' '
      PART.lastIndex = comment === '/*' ? endOfComment(text, end) : end
    }
    // One that has no end: nobody knows what it hides.
    else if (other === "'" || other === '"') return `${shown}?`
    else shown += part
  }
  return shown.trim()
}

/** Comments nest. */
function endOfComment(text: string, from: number): number {
  const bounds = /\/\*|\*\//g
  bounds.lastIndex = from
  let depth = 1
  for (let bound = bounds.exec(text); bound !== null; bound = bounds.exec(text)) {
    depth += bound[0] === '/*' ? 1 : -1
    if (depth === 0) return bounds.lastIndex
  }
  return text.length
}
