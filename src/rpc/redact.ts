// A copy of a message that may be logged: without secrets and without tokens.

/** All fields that the CSI proto marks csi_secret have this name; a test proves it. */
export const SECRET_FIELDS: ReadonlySet<string> = new Set(['secrets'])
/** The spec allows sensitive values in mount flags; kubelet passes service account tokens in the volume context. */
const SENSITIVE = new Set(['mount_flags', 'csi.storage.k8s.io/serviceAccount.tokens'])

/** Never touches the message itself. */
export function redact(message: unknown): unknown {
  if (Array.isArray(message)) return message.map(redact)
  if (typeof message !== 'object' || message === null) return message
  return Object.fromEntries(
    Object.entries(message)
      .filter(([, value]) => !isEmpty(value))
      .map(([key, value]) => [key, SECRET_FIELDS.has(key) || SENSITIVE.has(key) ? '***' : redact(value)]),
  )
}

/** Defaults that proto-loader filled in say nothing. */
function isEmpty(value: unknown): boolean {
  return value === null || value === '' || (typeof value === 'object' && Object.keys(value).length === 0)
}
