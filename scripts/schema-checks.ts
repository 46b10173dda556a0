// The driver's schemas as code that checks, made when a schema changes: compiled at each start they take a fifth of it.
import { Ajv } from 'ajv'
import standalone from 'ajv/dist/standalone/index.js'
import { configSchema } from '../src/schema/shapes/config.ts'
import { parametersSchema } from '../src/schema/shapes/parameters.ts'
import { tuningSchema } from '../src/schema/shapes/tuning.ts'

const SCHEMAS = { config: configSchema, parameters: parametersSchema, tuning: tuningSchema }

/** The module, which exports a function for each schema. Throws when one is no strict schema. */
export function schemaChecks(): string {
  const ajv = new Ajv({
    allErrors: true,
    useDefaults: true,
    strict: true,
    allowUnionTypes: true,
    schemas: Object.entries(SCHEMAS).map(([$id, schema]) => ({ $id, ...schema })),
    code: { source: true, esm: true, lines: true },
  })
  const names = Object.fromEntries(Object.keys(SCHEMAS).map(name => [name, name]))
  const code = standalone.default(ajv, names)
  // What it needs of ajv itself it asks for as CommonJS does.
  const imported = code.replaceAll(
    /const (\w+) = require\("([^"]+)"\)\.default;/g,
    (_, name, path) => `import ${name}Module from "${path}.js"; const ${name} = ${name}Module.default;`,
  )
  if (imported.includes('require(')) throw new Error('ajv asks for a module in a way that is not known here')
  return `// Made of src/schema by scripts/generate.ts.\n${imported}\n`
}

/** The types of that module. */
export function schemaCheckTypes(): string {
  return [
    '// Made by scripts/generate.ts.',
    "import type { ValidateFunction } from 'ajv'",
    "import type { Config } from '../shapes/config.ts'",
    "import type { StorageParameters } from '../shapes/parameters.ts'",
    "import type { Tuning } from '../shapes/tuning.ts'",
    'export const config: ValidateFunction<Config>',
    'export const parameters: ValidateFunction<StorageParameters>',
    'export const tuning: ValidateFunction<Tuning>',
    '',
  ].join('\n')
}
