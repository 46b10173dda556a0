// ajv lives here: turns its errors into sentences that name the key and the values that are allowed.
import { Ajv, type ErrorObject, type JSONSchemaType, type ValidateFunction } from 'ajv'

export const AJV_OPTIONS = { allErrors: true, useDefaults: true, strict: true, allowUnionTypes: true } as const

/** Schemas are the driver's own, and a test checks them: what they are checked with takes a fifth of a start to compile. */
const ajv = new Ajv({ ...AJV_OPTIONS, validateSchema: false })

export type Validation<T> = { value: T; problems: [] } | { problems: [string, ...string[]] }

/** A check that fills in defaults in a copy and names every problem at once. Compiled at its first use. */
export function compile<T>(schema: JSONSchemaType<T>): (input: unknown) => Validation<T> {
  let compiled: ValidateFunction<T> | undefined
  return input => {
    compiled ??= ajv.compile<T>(schema)
    const validate = compiled
    const value: unknown = structuredClone(input)
    if (validate(value)) return { value, problems: [] }
    const [first = 'it does not match the schema', ...rest] = validate.errors?.map(explain) ?? []
    return { problems: [first, ...rest] }
  }
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
