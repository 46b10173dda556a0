// ajv's errors as sentences that name the key and the values that are allowed.
import type { ErrorObject, ValidateFunction } from 'ajv'

export type Validation<T> = { value: T; problems: [] } | { problems: [string, ...string[]] }

/** Fills in defaults in a copy, and names every problem at once. `matches` is generated of a schema. */
export function validate<T>(matches: ValidateFunction<T>, input: unknown): Validation<T> {
  const value: unknown = structuredClone(input)
  if (matches(value)) return { value, problems: [] }
  const [first = 'it does not match the schema', ...rest] = matches.errors?.map(explain) ?? []
  return { problems: [first, ...rest] }
}

function explain({ instancePath, keyword, params, message }: ErrorObject): string {
  const at = instancePath.slice(1).replaceAll('/', '.')
  const below = (name: string | undefined) => [at, name].filter(Boolean).join('.')
  const detail = params as { allowedValues?: unknown[]; additionalProperty?: string; missingProperty?: string }
  switch (keyword) {
    case 'enum':
      return `${at} must be one of: ${detail.allowedValues?.join(', ')}`
    case 'additionalProperties':
      return `unknown key ${below(detail.additionalProperty)}`
    case 'required':
      return `missing key ${below(detail.missingProperty)}`
    default:
      return `${at || 'the whole'} ${message ?? 'is wrong'}`
  }
}
