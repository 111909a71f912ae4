/** Whether a text is without halves of surrogate pairs, which have no place in UTF-8: U+FFFD would go in their place. */
export function isWellFormed(text: string): boolean {
  // ES2024, which Node has from version 20 on and the library of ES2023 lacks.
  return (text as string & { isWellFormed(): boolean }).isWellFormed()
}

/** Whether a text can be PostgreSQL's: it ends its own with NUL. */
export const isStorable = (text: string): boolean => !text.includes('\0') && isWellFormed(text)
