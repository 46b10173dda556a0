// The sidecars of the driver's pods, as processes: what each is told, and on whose behalf it speaks to the API.
export const SIDECARS = ['csi-provisioner', 'csi-attacher', 'csi-resizer', 'csi-snapshotter'] as const
export type Sidecar = (typeof SIDECARS)[number]

/** Leases that end within seconds: a test waits for the next leader. */
const LEASE = ['lease-duration=4s', 'renew-deadline=3s', 'retry-period=500ms'].map(each => `--leader-election-${each}`)
const PACE = ['--kube-api-qps=100', '--kube-api-burst=200']
const RETRY = ['--retry-interval-start=200ms', '--retry-interval-max=2s']

const OWN: Record<Sidecar, readonly string[]> = {
  // The chart says --strict-topology where volumes are the node's own, as they are here.
  'csi-provisioner': ['--timeout=30s', ...RETRY, '--capacity-poll-interval=2s', '--strict-topology'],
  'csi-attacher': ['--timeout=30s', ...RETRY, '--reconcile-sync=2s'],
  'csi-resizer': ['--timeout=30s', ...RETRY],
  'csi-snapshotter': ['--timeout=30s', ...RETRY],
}

export interface SidecarPlace {
  readonly socket: string
  readonly kubeconfig: string
}

/** What the chart tells a sidecar, and after that, which wins, what is different here. */
export function sidecarArgs(name: Sidecar, place: SidecarPlace, chart: readonly string[]): string[] {
  return [
    ...chart,
    ...PACE,
    ...OWN[name],
    `--csi-address=${place.socket}`,
    `--kubeconfig=${place.kubeconfig}`,
    ...LEASE,
    '--http-endpoint=',
    '--v=5',
  ]
}

/** The snapshot-controller is an add-on of the cluster, no part of the driver: it may do what it likes. */
export function snapshotControllerArgs(kubeconfig: string): string[] {
  return [`--kubeconfig=${kubeconfig}`, ...PACE, ...RETRY, '--v=4']
}
