// Portals: where a target listens.

const PORTAL = /^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:]{2,39}\]):\d{1,5}$/

/** An address and a port as open-iscsi writes them: 10.0.0.1:3260, [fd00::1]:3260. */
export function isPortal(text: string): boolean {
  const port = Number(text.slice(text.lastIndexOf(':') + 1))
  return PORTAL.test(text) && port >= 1 && port <= 65_535
}
