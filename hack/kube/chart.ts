// The driver's Helm chart, installed in the rig: its objects go to the API server, its sidecars' arguments to the processes.
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { cachePath } from '../cache.ts'
import { type Api, isKind, type KubeObject, kindOf } from './api.ts'
import { kubernetesVersion } from './binaries.ts'
import type { Sidecar } from './sidecars.ts'

const HERE = import.meta.dirname
const RELEASE = 'ashlar'

/** Where scripts/setup puts helm; the version is in the name. */
export const helmBinary = (): string => cachePath('bin', 'helm-v3.22.0')

/** What the cluster has, which helm cannot ask it. */
const KNOWN = ['snapshot.storage.k8s.io/v1', 'storage.k8s.io/v1/VolumeAttributesClass']

/** Documents of YAML, in the order in which helm would make the objects. */
export function renderChart(namespace: string): string[] {
  const versions = ['--kube-version', kubernetesVersion(), ...KNOWN.flatMap(each => ['--api-versions', each])]
  const chart = [join(HERE, '../../charts/ashlar'), '--namespace', namespace, '--values', join(HERE, 'values.yaml')]
  const text = execFileSync(helmBinary(), ['template', RELEASE, ...chart, ...versions], { encoding: 'utf8' })
  return text.split(/^---$/m).filter(document => /^kind:/m.test(document))
}

/** What the chart says about the controller's pod, as the API server understood it. */
export class Installation {
  readonly #pod: KubeObject

  private constructor(pod: KubeObject) {
    this.#pod = pod
  }

  /** Makes the chart's objects, all of them: each is one that the API server takes. */
  static async install(api: Api, namespace: string): Promise<Installation> {
    let pod: KubeObject
    for (const document of renderChart(namespace)) {
      const kind = kindOf(document)
      if (!isKind(kind)) throw new Error(`the chart has an object of kind ${kind}: name its place in api.ts`)
      const object = await api.createYaml(document, namespace)
      if (kind === 'Deployment') pod = object.spec.template.spec
    }
    if (pod === undefined) throw new Error('the chart has no Deployment')
    return new Installation(pod)
  }

  get account(): string {
    return this.#pod.serviceAccountName
  }

  /** The container of a sidecar bears its name, without the prefix. */
  argsOf(sidecar: Sidecar): readonly string[] {
    const name = sidecar.replace(/^csi-/, '')
    const container = this.#pod.containers.find((each: KubeObject) => each.name === name)
    if (container === undefined) throw new Error(`the chart's controller has no container ${name}`)
    return container.args
  }
}
