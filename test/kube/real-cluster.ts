// A cluster whose node is real: kubelet and containerd run pods on the machine's own kernel.
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { KubeObject } from '../../hack/kube/api.ts'
import { IMAGE } from '../../hack/kube/busybox.ts'
import { RealNode } from '../../hack/kube/node.ts'
import type { Program } from '../../hack/kube/program.ts'
import { Cluster } from './cluster.ts'
import { DRIVER_NAME, NODE } from './names.ts'

export interface Work {
  /** For sh; what it writes to /dev/termination-log is told. The volume is at /data, or it is /dev/data. */
  readonly script: string
  readonly mode?: 'Filesystem' | 'Block'
  readonly fsGroup?: number
}

export class RealCluster extends Cluster {
  #real: RealNode | undefined

  get real(): RealNode {
    if (!this.#real) throw new Error('no node has come')
    return this.#real
  }

  protected override async join(): Promise<void> {
    const root = join(this.driver.folder, 'kubelet')
    mkdirSync(root)
    const { plane, folder } = this.rig
    const { clientCa } = plane
    this.#real = new RealNode({ name: NODE, folder, root, kubeconfig: plane.kubeconfig(NODE), clientCa })
    await this.#real.start()
    await this.until(`${NODE} is there`, async () => (await this.api.find('Node', NODE)) !== undefined)
    // What a cloud's controller does: kubelet waits for its address, and its taint keeps pods away.
    await this.api.patchStatus('Node', NODE, { addresses: [{ type: 'InternalIP', address: '127.0.0.1' }] })
    await this.api.patch('Node', NODE, { spec: { taints: null } })
    await this.until(`${NODE} is ready`, async () => {
      const { status } = await this.api.get('Node', NODE)
      return status.conditions.some((each: KubeObject) => each.type === 'Ready' && each.status === 'True')
    })
    plane.startScheduler()
    await this.#real.register(DRIVER_NAME, this.driver.socket('node'))
  }

  override async stop(): Promise<string[]> {
    await this.#real?.stop()
    return await super.stop()
  }

  protected override programs(): Program[] {
    return [...super.programs(), ...(this.#real?.programs ?? [])]
  }

  /** A pod that does the work once; answers its name. */
  async work(claimName: string, { script, mode = 'Filesystem', fsGroup }: Work): Promise<string> {
    const name = this.name('pod')
    await this.api.create('Pod', {
      metadata: { name },
      spec: {
        automountServiceAccountToken: false,
        enableServiceLinks: false,
        restartPolicy: 'Never',
        terminationGracePeriodSeconds: 0,
        ...(fsGroup !== undefined && { securityContext: { fsGroup, runAsUser: fsGroup, runAsGroup: fsGroup } }),
        volumes: [{ name: 'data', persistentVolumeClaim: { claimName } }],
        containers: [
          {
            name: 'app',
            image: IMAGE,
            command: ['sh', '-ec', script],
            ...(mode === 'Block'
              ? { volumeDevices: [{ name: 'data', devicePath: '/dev/data' }] }
              : { volumeMounts: [{ name: 'data', mountPath: '/data' }] }),
          },
        ],
      },
    })
    return name
  }

  /** What the work said at its end; the pod is gone afterwards. */
  async result(podName: string): Promise<string> {
    let pod: KubeObject
    await this.until(`${podName} has ended`, async () => {
      pod = await this.api.get('Pod', podName)
      return ['Succeeded', 'Failed'].includes(pod.status.phase)
    })
    const { exitCode, message = '' } = pod.status.containerStatuses[0].state.terminated
    if (exitCode !== 0) throw new Error(`${podName} ended with ${exitCode}: ${message}`)
    await this.remove('Pod', podName)
    return message.trim()
  }

  /** Once the work has made /data/begun, which is later than that its pod runs; answers where the host sees the volume. */
  async begun(podName: string): Promise<string> {
    await this.until(`${podName} runs`, async () => (await this.api.get('Pod', podName)).status.phase === 'Running')
    const { metadata, spec } = await this.api.get('Pod', podName)
    const { spec: claim } = await this.api.get('PersistentVolumeClaim', spec.volumes[0].persistentVolumeClaim.claimName)
    const volumes = join(this.driver.folder, 'kubelet/pods', metadata.uid, 'volumes/kubernetes.io~csi')
    const folder = join(volumes, claim.volumeName, 'mount')
    await this.until(`${podName} has begun`, async () => existsSync(join(folder, 'begun')))
    return folder
  }
}
